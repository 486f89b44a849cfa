"""Many streams at once, with the libraries' async clients, and streams that their clients leave."""

import asyncio
import unittest

import stack
from stack import MESSAGES, MODEL

STREAMS = 60
TOKENS = 40


class Streams(unittest.IsolatedAsyncioTestCase):
    async def test_many_streams_of_all_kinds_run_side_by_side_and_end_whole(self):
        async def chat(client, index):
            asked = [{"role": "user", "content": f"{index}"}]
            stream = await client.chat.completions.create(model=MODEL, messages=asked, max_tokens=TOKENS, stream=True)
            return [chunk.choices[0].delta.content async for chunk in stream if chunk.choices[0].delta.content]

        async def response(client, index):
            stream = await client.responses.create(
                model=MODEL, input=f"{index}", max_output_tokens=TOKENS, stream=True
            )
            return [event.delta async for event in stream if event.type == "response.output_text.delta"]

        async def message(client, index):
            asked = [{"role": "user", "content": f"{index}"}]
            async with client.messages.stream(model=MODEL, messages=asked, max_tokens=TOKENS) as stream:
                return [text async for text in stream.text_stream]

        async with stack.openai_async() as one, stack.anthropic_async() as other:
            kinds = [(chat, one), (response, one), (message, other)]
            asked = [kinds[index % 3][0](kinds[index % 3][1], index) for index in range(STREAMS)]
            answers = await asyncio.gather(*asked)
        self.assertEqual([len(answer) for answer in answers], [TOKENS] * STREAMS)

    async def test_whole_answers_of_the_async_clients(self):
        async with stack.openai_async() as client:
            answers = await asyncio.gather(
                client.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=3),
                client.embeddings.create(model=MODEL, input="hello"),
                client.responses.create(model=MODEL, input="hello", max_output_tokens=3),
            )
        self.assertTrue(all(answer._request_id for answer in answers))
        async with stack.anthropic_async() as client:
            answer = await client.messages.create(model=MODEL, messages=MESSAGES, max_tokens=3)
        self.assertEqual(answer.usage.output_tokens, 3)


class Leaving(unittest.TestCase):
    """A client that goes away leaves nothing behind on any engine: at 1 ms a token, these would run for a minute."""

    def left(self, stream, wanted):
        for event in stream:
            if wanted(event):
                break
        stack.until("the engine to say that it runs the stream", lambda: stack.engines_load() == (1, 1))
        stream.close()
        stack.until("the engines to be idle", lambda: stack.engines_load() == (0, 0))

    def setUp(self):
        stack.until("the engines to be idle", lambda: stack.engines_load() == (0, 0))

    def test_a_chat_that_is_left_stops_on_its_engine(self):
        with stack.openai_client() as client:
            stream = client.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=60_000, stream=True)
            self.left(stream, lambda chunk: chunk.choices[0].delta.content)

    def test_a_message_that_is_left_stops_on_its_engine(self):
        with stack.anthropic_client() as client:
            stream = client.messages.create(model=MODEL, messages=MESSAGES, max_tokens=60_000, stream=True)
            self.left(stream, lambda event: event.type == "content_block_delta")
