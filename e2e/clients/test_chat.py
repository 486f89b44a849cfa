"""OpenAI's library: chats and completions."""

import unittest

import stack
from stack import MESSAGES, MODEL, SERVED


class Chat(unittest.TestCase):
    def setUp(self):
        self.client = stack.openai_client()
        self.addCleanup(self.client.close)

    def test_a_chat_is_answered_with_usage_and_the_id_of_the_request(self):
        answer = self.client.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=5)
        self.assertEqual((answer.object, answer.model), ("chat.completion", SERVED))
        self.assertEqual((answer.choices[0].message.role, answer.choices[0].finish_reason), ("assistant", "length"))
        self.assertEqual(len(answer.choices[0].message.content.split()), 5)
        self.assertEqual((answer.usage.completion_tokens, answer.usage.total_tokens), (5, 5 + answer.usage.prompt_tokens))
        self.assertRegex(answer._request_id, "^[0-9a-f-]{36}$")

    def test_the_clients_own_request_id_comes_back(self):
        answer = self.client.chat.completions.create(
            model=MODEL, messages=MESSAGES, extra_headers={"x-request-id": "mine-7"}
        )
        self.assertEqual(answer._request_id, "mine-7")

    def test_a_stream_says_the_same_as_a_whole_answer(self):
        asked = {"model": MODEL, "messages": [{"role": "user", "content": "the same"}], "max_tokens": 20}
        whole = self.client.chat.completions.create(**asked).choices[0].message.content
        chunks = list(self.client.chat.completions.create(**asked, stream=True))
        self.assertEqual("".join(chunk.choices[0].delta.content or "" for chunk in chunks), whole)
        self.assertTrue(all(chunk.usage is None for chunk in chunks), "nobody asked for usage")
        self.assertEqual([chunk.choices[0].finish_reason for chunk in chunks[-2:]], [None, "length"])

    def test_usage_that_was_asked_for_is_the_last_chunk(self):
        options = {"include_usage": True}
        chunks = list(
            self.client.chat.completions.create(
                model=MODEL, messages=MESSAGES, max_tokens=3, stream=True, stream_options=options
            )
        )
        self.assertEqual((chunks[-1].choices, chunks[-1].usage.completion_tokens), ([], 3))
        self.assertTrue(all(chunk.usage is None for chunk in chunks[:-1]))

    def test_the_librarys_own_stream_puts_the_message_together(self):
        # It takes an answer that its length ended for a failure; this one is ended by a word.
        whole = self.client.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=8).choices[0].message.content
        stop = whole.split()[5]
        with self.client.chat.completions.stream(model=MODEL, messages=MESSAGES, max_tokens=8, stop=stop) as stream:
            said = "".join(event.delta for event in stream if event.type == "content.delta")
            message = stream.get_final_completion().choices[0]
        self.assertEqual((message.message.content, message.finish_reason), (said, "stop"))
        self.assertEqual(said, whole[: whole.index(stop)])

    def test_several_choices_come_with_their_indices(self):
        answer = self.client.chat.completions.create(model=MODEL, messages=MESSAGES, n=3, max_tokens=2)
        self.assertEqual([choice.index for choice in answer.choices], [0, 1, 2])

    def test_an_adapter_is_a_model_of_its_own(self):
        answer = self.client.chat.completions.create(model=stack.ADAPTER, messages=MESSAGES, max_tokens=2)
        self.assertEqual(answer.model, stack.ADAPTER)

    def test_text_in_parts_and_words_beyond_ascii_arrive(self):
        parts = [{"type": "text", "text": "naïve 東京 🙂"}, {"type": "text", "text": '"quoted" \\ \u2028'}]
        answer = self.client.chat.completions.create(
            model=MODEL, messages=[{"role": "system", "content": "be"}, {"role": "user", "content": parts}], max_tokens=64
        )
        self.assertEqual(answer.usage.completion_tokens, 64)

    def test_a_completion_whole_and_streamed(self):
        asked = {"model": MODEL, "prompt": "Once upon", "max_tokens": 4}
        whole = self.client.completions.create(**asked)
        self.assertEqual((whole.object, whole.usage.completion_tokens), ("text_completion", 4))
        chunks = list(self.client.completions.create(**asked, stream=True))
        self.assertEqual("".join(chunk.choices[0].text for chunk in chunks), whole.choices[0].text)
        two = self.client.completions.create(model=MODEL, prompt=["one", "two"], max_tokens=1)
        self.assertEqual([choice.index for choice in two.choices], [0, 1])
