"""Tool calls, whole and streamed, on the three paths that know them, and the turn that follows one."""

import json
import unittest

import pydantic

import stack
from stack import MESSAGES, MODEL


class Weather(pydantic.BaseModel):
    """The weather in a city."""

    city: str
    days: int


SCHEMA = Weather.model_json_schema()
CHAT_TOOL = {"type": "function", "function": {"name": "weather", "description": "d", "parameters": SCHEMA}}
OTHER_TOOL = {"type": "function", "function": {"name": "other", "parameters": {"type": "object", "properties": {}}}}


def fits(test, arguments):
    """The arguments are JSON that the schema's own type takes."""
    test.assertIsInstance(Weather.model_validate_json(arguments), Weather)


class OpenAiTools(unittest.TestCase):
    def setUp(self):
        self.client = stack.openai_client()
        self.addCleanup(self.client.close)
        self.asked = {"model": MODEL, "messages": MESSAGES, "tools": [CHAT_TOOL, OTHER_TOOL]}

    def test_a_required_call_is_whole(self):
        choice = self.client.chat.completions.create(**self.asked, tool_choice="required").choices[0]
        self.assertEqual(choice.finish_reason, "tool_calls")
        [call] = choice.message.tool_calls
        self.assertEqual((call.type, call.function.name), ("function", "weather"))
        fits(self, call.function.arguments)

    def test_the_named_tool_is_called(self):
        named = {"type": "function", "function": {"name": "other"}}
        [call] = self.client.chat.completions.create(**self.asked, tool_choice=named).choices[0].message.tool_calls
        self.assertEqual((call.function.name, call.function.arguments), ("other", "{}"))

    def test_a_call_is_streamed_name_first_then_arguments(self):
        calls, reasons = {}, []
        for chunk in self.client.chat.completions.create(**self.asked, tool_choice="required", stream=True):
            reasons.append(chunk.choices[0].finish_reason)
            for delta in chunk.choices[0].delta.tool_calls or []:
                call = calls.setdefault(delta.index, {"id": delta.id, "name": delta.function.name, "arguments": ""})
                call["arguments"] += delta.function.arguments or ""
        self.assertEqual((list(calls), reasons[-1], calls[0]["name"]), ([0], "tool_calls", "weather"))
        self.assertTrue(calls[0]["id"])
        fits(self, calls[0]["arguments"])

    def test_the_librarys_own_stream_parses_the_call(self):
        strict = {"type": "function", "function": {**CHAT_TOOL["function"], "strict": True}}
        asked = {"model": MODEL, "messages": MESSAGES, "tools": [strict], "tool_choice": "required"}
        with self.client.chat.completions.stream(**asked) as stream:
            kinds = {event.type for event in stream}
            [call] = stream.get_final_completion().choices[0].message.tool_calls
        self.assertLessEqual({"tool_calls.function.arguments.delta", "tool_calls.function.arguments.done"}, kinds)
        self.assertEqual(set(call.function.parsed_arguments), {"city", "days"})

    def test_the_tools_answer_goes_into_the_next_turn(self):
        message = self.client.chat.completions.create(**self.asked, tool_choice="required").choices[0].message
        said = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "rain"}
        turn = {**self.asked, "messages": [*MESSAGES, message, said]}
        answer = self.client.chat.completions.create(**turn, tool_choice="auto", max_tokens=3)
        self.assertEqual(len(answer.choices[0].message.content.split()), 3)
        self.assertIsNone(answer.choices[0].message.tool_calls)

    def test_a_response_calls_a_function_and_takes_its_output(self):
        tool = {"type": "function", "name": "weather", "description": "d", "parameters": SCHEMA, "strict": False}
        asked = {"model": MODEL, "tools": [tool], "tool_choice": "required"}
        response = self.client.responses.create(**asked, input="hello")
        self.assertEqual((response.status, response.tools[0].name), ("completed", "weather"))
        [call] = response.output
        self.assertEqual((call.type, call.name), ("function_call", "weather"))
        fits(self, call.arguments)
        turn = [*MESSAGES, call.model_dump(), {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}]
        answer = self.client.responses.create(model=MODEL, input=turn, max_output_tokens=3)
        self.assertEqual(len(answer.output_text.split()), 3)

        with self.client.responses.stream(**asked, input="hello") as stream:
            kinds = [event.type for event in stream]
            [streamed] = stream.get_final_response().output
        self.assertEqual(streamed.arguments, call.arguments)
        self.assertIn("response.function_call_arguments.delta", kinds)
        self.assertEqual(kinds[-1], "response.completed")


class AnthropicTools(unittest.TestCase):
    def setUp(self):
        self.client = stack.anthropic_client()
        self.addCleanup(self.client.close)
        tools = [{"name": "weather", "description": "d", "input_schema": SCHEMA}]
        self.asked = {"model": MODEL, "max_tokens": 200, "tools": tools}

    def test_a_tool_is_used_whole_streamed_and_in_the_next_turn(self):
        message = self.client.messages.create(**self.asked, messages=MESSAGES, tool_choice={"type": "any"})
        [use] = message.content
        self.assertEqual((message.stop_reason, use.type, use.name), ("tool_use", "tool_use", "weather"))
        fits(self, json.dumps(use.input))

        choice = {"type": "tool", "name": "weather"}
        with self.client.messages.stream(**self.asked, messages=MESSAGES, tool_choice=choice) as stream:
            pieces = [event.partial_json for event in stream if event.type == "input_json"]
            streamed = stream.get_final_message()
        self.assertEqual((streamed.stop_reason, streamed.content[0].input), ("tool_use", use.input))
        self.assertEqual(json.loads("".join(pieces)), use.input)

        result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "rain"}]}
        turn = [*MESSAGES, {"role": "assistant", "content": message.content}, result]
        answer = self.client.messages.create(**{**self.asked, "max_tokens": 3}, messages=turn)
        self.assertEqual((answer.content[0].type, answer.stop_reason), ("text", "max_tokens"))
