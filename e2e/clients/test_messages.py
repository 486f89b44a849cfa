"""Anthropic's library: messages, streams, counting, models."""

import unittest

import stack
from stack import MESSAGES, MODEL, SERVED


class Messages(unittest.TestCase):
    def setUp(self):
        self.client = stack.anthropic_client()
        self.addCleanup(self.client.close)

    def test_a_message_is_answered_with_usage(self):
        answer = self.client.messages.create(model=MODEL, messages=MESSAGES, max_tokens=5)
        self.assertEqual((answer.type, answer.role, answer.model), ("message", "assistant", SERVED))
        self.assertEqual(len(answer.content[0].text.split()), 5)
        self.assertEqual((answer.stop_reason, answer.usage.output_tokens), ("max_tokens", 5))
        self.assertRegex(answer._request_id, "^[0-9a-f-]{36}$")

    def test_the_clients_own_request_id_comes_back(self):
        asked = {"model": MODEL, "messages": MESSAGES, "max_tokens": 1, "extra_headers": {"x-request-id": "mine-7"}}
        self.assertEqual(self.client.messages.create(**asked)._request_id, "mine-7")
        with self.client.messages.stream(**{**asked, "max_tokens": 5}) as stream:
            self.assertEqual(stream.request_id, "mine-7")
            stream.until_done()

    def test_a_system_prompt_is_part_of_the_prompt(self):
        plain = self.client.messages.create(model=MODEL, messages=MESSAGES, max_tokens=1).usage.input_tokens
        for system in ["be brief", [{"type": "text", "text": "be brief"}]]:
            more = self.client.messages.create(model=MODEL, messages=MESSAGES, max_tokens=1, system=system)
            self.assertGreater(more.usage.input_tokens, plain)

    def test_a_stream_says_the_same_as_a_whole_answer(self):
        asked = {"model": MODEL, "messages": [{"role": "user", "content": "the same"}], "max_tokens": 20}
        whole = self.client.messages.create(**asked)
        with self.client.messages.stream(**asked) as stream:
            said = "".join(stream.text_stream)
            message = stream.get_final_message()
        self.assertEqual((message.content[0].text, said), (whole.content[0].text, whole.content[0].text))
        self.assertEqual(message.usage.output_tokens, 20)

    def test_the_events_of_a_stream_come_in_anthropics_order(self):
        events = list(self.client.messages.create(model=MODEL, messages=MESSAGES, max_tokens=2, stream=True))
        kinds = [event.type for event in events]
        deltas = ["content_block_delta"] * 2
        expected = ["message_start", "content_block_start", *deltas, "content_block_stop", "message_delta", "message_stop"]
        self.assertEqual(kinds, expected)

    def test_a_stop_sequence_ends_the_answer(self):
        whole = self.client.messages.create(model=MODEL, messages=MESSAGES, max_tokens=8).content[0].text
        stop = whole.split()[5]
        answer = self.client.messages.create(model=MODEL, messages=MESSAGES, max_tokens=8, stop_sequences=[stop])
        self.assertEqual((answer.stop_reason, answer.stop_sequence), ("stop_sequence", stop))

    def test_tokens_are_counted(self):
        counted = self.client.messages.count_tokens(model=MODEL, messages=MESSAGES, system="be brief")
        used = self.client.messages.create(model=MODEL, messages=MESSAGES, system="be brief", max_tokens=1)
        self.assertEqual(counted.input_tokens, used.usage.input_tokens)

    def test_the_id_of_the_request_is_in_the_headers(self):
        raw = self.client.messages.with_raw_response.create(model=MODEL, messages=MESSAGES, max_tokens=1)
        self.assertRegex(raw.headers["x-request-id"], "^[0-9a-f-]{36}$")
