"""Where the stack under test is, and clients of it. The process test `clients` sets the environment."""

import json
import os
import time
import urllib.request

import anthropic
import openai

URL = os.environ["KTHENA_URL"]
DEBUG = os.environ["KTHENA_DEBUG_URL"]
# Another stack: of its models, `full` has no room, `broken` answers 503, `nobody` has no pods and `slow` never answers.
TROUBLE = os.environ["KTHENA_TROUBLE_URL"]

# As routes name them, and as their engines do.
MODEL = "chat"
SERVED = "org/Served-1B"
ADAPTER = "adapter"

MESSAGES = [{"role": "user", "content": "hello"}]
DEADLINE = 30

# Nobody looks at the key; the libraries want one. Without retries, what is answered is what is seen.
SETTINGS = {"api_key": "dummy", "max_retries": 0, "timeout": DEADLINE}


def openai_client(url=URL, **settings):
    return openai.OpenAI(base_url=f"{url}/v1", **{**SETTINGS, **settings})


def openai_async(url=URL, **settings):
    return openai.AsyncOpenAI(base_url=f"{url}/v1", **{**SETTINGS, **settings})


def anthropic_client(url=URL, **settings):
    return anthropic.Anthropic(base_url=url, **{**SETTINGS, **settings})


def anthropic_async(url=URL, **settings):
    return anthropic.AsyncAnthropic(base_url=url, **{**SETTINGS, **settings})


def engines_load():
    """Requests that the engines say they run or have waiting, and those that the router knows to be under way.

    None while it has not heard of an engine lately.
    """
    with urllib.request.urlopen(f"{DEBUG}/debug/config_dump/pods", timeout=DEADLINE) as answer:
        pods = json.load(answer)["pods"]
    if any(pod["stale"] or pod["metrics"]["requestRunningNum"] is None for pod in pods):
        return None
    said = sum(pod["metrics"]["requestRunningNum"] + pod["metrics"]["requestWaitingNum"] for pod in pods)
    return said, sum(pod["inFlight"] for pod in pods)


def until(what, condition):
    """Looks until the condition holds."""
    end = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited {DEADLINE} s in vain for {what}")
        time.sleep(0.02)
