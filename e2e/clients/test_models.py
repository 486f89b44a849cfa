"""Models, listed and one by one, with both libraries."""

import unittest

import anthropic
import openai

import stack
from stack import ADAPTER, MODEL


class Models(unittest.TestCase):
    def test_openais_library_lists_and_retrieves(self):
        with stack.openai_client() as client:
            names = [model.id for model in client.models.list()]
            self.assertEqual(names, sorted(names))
            self.assertLessEqual({MODEL, ADAPTER}, set(names))
            self.assertEqual((client.models.retrieve(MODEL).id, client.models.retrieve(MODEL).object), (MODEL, "model"))
            with self.assertRaises(openai.NotFoundError) as raised:
                client.models.retrieve("nobody-has-this")
        self.assertEqual(raised.exception.body["message"], "The model `nobody-has-this` does not exist")

    def test_anthropics_library_lists_and_retrieves(self):
        with stack.anthropic_client() as client:
            self.assertLessEqual({MODEL, ADAPTER}, {model.id for model in client.models.list()})
            self.assertEqual(client.models.retrieve(MODEL).id, MODEL)
            with self.assertRaises(anthropic.NotFoundError):
                client.models.retrieve("nobody-has-this")
