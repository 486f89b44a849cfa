"""Refusals become the exceptions that the libraries have for them, with our text, our code and the request's id."""

import time
import unittest

import anthropic
import openai

import stack
from stack import MESSAGES, MODEL, TROUBLE

FULL = "can't schedule to target pod: pods have all been filtered out by \"least-request\""
BUSY = "The engine is currently busy."


class OpenAiErrors(unittest.TestCase):
    def refused(self, kind, status, code, message, url=stack.URL, **asked):
        with stack.openai_client(url) as client, self.assertRaises(kind) as raised:
            client.chat.completions.create(**{"model": MODEL, "messages": MESSAGES, **asked})
        error = raised.exception
        self.assertEqual((error.status_code, error.code, error.body["message"]), (status, code, message))
        self.assertRegex(error.request_id, "^[0-9a-f-]{36}$")
        return error

    def test_an_unknown_model_is_not_found(self):
        self.refused(openai.NotFoundError, 404, "model_not_found", "route not found", model="nobody-has-this")

    def test_a_target_that_is_not_there_is_not_found(self):
        text = "can't find model server: default/missing"
        self.refused(openai.NotFoundError, 404, "model_server_not_found", text, model="lost")

    def test_what_the_engine_refuses_is_a_bad_request_in_its_own_words(self):
        text = "temperature must be in [0, 2], got 9.0. (parameter=temperature, value=9.0)"
        error = self.refused(openai.BadRequestError, 400, "400", text, temperature=9)
        self.assertEqual((error.param, error.type), ("temperature", "BadRequestError"))

    def test_a_streams_refusal_is_raised_when_it_is_opened(self):
        self.refused(openai.NotFoundError, 404, "model_not_found", "route not found", model="nobody-has-this", stream=True)

    def test_a_body_over_the_limit_is_413(self):
        long = [{"role": "user", "content": "x" * 300_000}]
        text = "request body is larger than 262144 bytes"
        self.refused(openai.APIStatusError, 413, "request_too_large", text, messages=long)

    def test_a_full_fleet_is_a_rate_limit_that_says_when_to_come_again(self):
        error = self.refused(openai.RateLimitError, 429, "saturated", FULL, TROUBLE, model="full")
        self.assertEqual((error.type, error.response.headers["retry-after"]), ("rate_limit_error", "1"))

    def test_the_library_waits_as_long_as_retry_after_says(self):
        begun = time.monotonic()
        with stack.openai_client(TROUBLE, max_retries=1) as client, self.assertRaises(openai.RateLimitError):
            client.chat.completions.create(model="full", messages=MESSAGES)
        # By itself it waits half a second at most before its first retry.
        self.assertGreaterEqual(time.monotonic() - begun, 0.99)

    def test_a_model_without_pods_is_503(self):
        text = "no available pods for model server: default/nobody"
        self.refused(openai.InternalServerError, 503, "no_available_pods", text, TROUBLE, model="nobody")

    def test_an_engines_503_passes_when_there_is_no_other(self):
        error = self.refused(openai.InternalServerError, 503, "503", BUSY, TROUBLE, model="broken")
        self.assertEqual(error.type, "Service Unavailable")

    def test_an_unknown_path_is_not_found(self):
        with stack.openai_client() as client, self.assertRaises(openai.NotFoundError):
            client.files.list()

    def test_a_timeout_is_a_timeout(self):
        with stack.openai_client(TROUBLE, timeout=0.3) as client, self.assertRaises(openai.APITimeoutError):
            client.chat.completions.create(model="slow", messages=MESSAGES)


class AnthropicErrors(unittest.TestCase):
    def refused(self, kind, status, name, message, url=stack.URL, **asked):
        with stack.anthropic_client(url) as client, self.assertRaises(kind) as raised:
            client.messages.create(**{"model": MODEL, "messages": MESSAGES, "max_tokens": 5, **asked})
        error = raised.exception
        self.assertEqual((error.status_code, error.type), (status, name))
        self.assertEqual(error.body, {"type": "error", "error": {"type": name, "message": message}})
        self.assertRegex(error.request_id, "^[0-9a-f-]{36}$")
        return error

    def test_an_unknown_model_is_not_found(self):
        self.refused(anthropic.NotFoundError, 404, "not_found_error", "route not found", model="nobody-has-this")
        with stack.anthropic_client() as client, self.assertRaises(anthropic.NotFoundError):
            client.messages.count_tokens(model="nobody-has-this", messages=MESSAGES)

    def test_a_body_over_the_limit_is_too_large(self):
        long = [{"role": "user", "content": "x" * 300_000}]
        text = "request body is larger than 262144 bytes"
        self.refused(anthropic.ContentTooLargeError, 413, "request_too_large", text, messages=long)

    def test_a_full_fleet_is_a_rate_limit(self):
        error = self.refused(anthropic.RateLimitError, 429, "rate_limit_error", FULL, TROUBLE, model="full")
        self.assertEqual(error.response.headers["retry-after"], "1")

    def test_a_model_without_pods_is_overloaded(self):
        text = "no available pods for model server: default/nobody"
        self.refused(anthropic.ServiceUnavailableError, 503, "overloaded_error", text, TROUBLE, model="nobody")

    def test_what_the_engine_refuses_is_a_bad_request_in_its_own_words(self):
        tools = [{"name": "weather", "input_schema": {"type": "object"}}]
        text = "The tool with name 'nope' is not found in the tools list."
        choice = {"type": "tool", "name": "nope"}
        self.refused(anthropic.BadRequestError, 400, "BadRequestError", text, tools=tools, tool_choice=choice)

    def test_a_timeout_is_a_timeout(self):
        with stack.anthropic_client(TROUBLE, timeout=0.3) as client, self.assertRaises(anthropic.APITimeoutError):
            client.messages.create(model="slow", messages=MESSAGES, max_tokens=5)
