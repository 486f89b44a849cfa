"""OpenAI's library: embeddings. It asks for base64 unless it is told otherwise, and unpacks it."""

import math
import unittest

import stack
from stack import MODEL


class Embeddings(unittest.TestCase):
    def setUp(self):
        self.client = stack.openai_client()
        self.addCleanup(self.client.close)

    def test_base64_and_floats_say_the_same(self):
        packed = self.client.embeddings.create(model=MODEL, input="hello").data[0].embedding
        floats = self.client.embeddings.create(model=MODEL, input="hello", encoding_format="float").data[0].embedding
        self.assertEqual(len(packed), len(floats))
        for one, other in zip(packed, floats):
            self.assertAlmostEqual(one, other, places=6)
        self.assertAlmostEqual(math.fsum(x * x for x in floats), 1, places=4)

    def test_base64_as_such_is_a_text(self):
        answer = self.client.embeddings.create(model=MODEL, input="hello", encoding_format="base64", dimensions=3)
        self.assertEqual(len(answer.data[0].embedding), 16)

    def test_many_inputs_keep_their_order(self):
        answer = self.client.embeddings.create(model=MODEL, input=["one", "two", "one"], dimensions=8)
        self.assertEqual([datum.index for datum in answer.data], [0, 1, 2])
        one, two, again = [datum.embedding for datum in answer.data]
        self.assertEqual((one, len(one)), (again, 8))
        self.assertNotEqual(one, two)
        self.assertEqual(answer.usage.total_tokens, answer.usage.prompt_tokens)
