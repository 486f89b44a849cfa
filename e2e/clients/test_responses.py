"""OpenAI's library: the Responses API."""

import unittest

import openai

import stack
from stack import MODEL


class Responses(unittest.TestCase):
    def setUp(self):
        self.client = stack.openai_client()
        self.addCleanup(self.client.close)

    def test_a_response_is_answered_with_usage(self):
        answer = self.client.responses.create(model=MODEL, input="hello", instructions="be brief", max_output_tokens=4)
        self.assertEqual(len(answer.output_text.split()), 4)
        self.assertEqual((answer.usage.output_tokens, answer.instructions), (4, "be brief"))
        self.assertEqual((answer.status, answer.incomplete_details.reason), ("incomplete", "max_output_tokens"))
        self.assertRegex(answer._request_id, "^[0-9a-f-]{36}$")

    def test_a_stream_goes_from_created_to_completed(self):
        events = list(self.client.responses.create(model=MODEL, input="hello", max_output_tokens=4, stream=True))
        self.assertEqual((events[0].type, events[-1].type), ("response.created", "response.completed"))
        self.assertEqual([event.sequence_number for event in events], list(range(len(events))))
        said = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        self.assertEqual(events[-1].response.output_text, said)
        self.assertEqual(events[-1].response.usage.output_tokens, 4)

    def test_the_librarys_own_stream_puts_the_response_together(self):
        messages = [{"role": "user", "content": [{"type": "input_text", "text": "hello"}]}]
        with self.client.responses.stream(model=MODEL, input=messages, max_output_tokens=4) as stream:
            said = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
            self.assertEqual(stream.get_final_response().output_text, said)
        self.assertEqual(len(said.split()), 4)

    def test_errors_are_typed(self):
        with self.assertRaises(openai.NotFoundError) as raised:
            self.client.responses.create(model="nobody-has-this", input="hello")
        self.assertEqual((raised.exception.code, raised.exception.body["message"]), ("model_not_found", "route not found"))
        with self.assertRaises(openai.BadRequestError) as raised:
            self.client.responses.create(model=MODEL, input="hello", tool_choice="required")
        self.assertEqual(raised.exception.param, "tool_choice")
