"""vLLM, in the process that vllm_worker.py starts: `python -m` this module.

Lines of JSON come on standard input and go to what was standard output when it began; whatever libraries print goes to
the log, which is standard error. When the input ends, so does this process, with all that vLLM started.
"""

import asyncio
import importlib
import json
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, BinaryIO

from tuneworks.factory.engine import Completion, Finish, Loss, Request, Usage
from tuneworks.factory.engines.prompts import Prompts
from tuneworks.factory.engines.vllm_log import part_of_sentence
from tuneworks.factory.errors import EngineError, EngineUnavailable, TuneworksError
from tuneworks.factory.record import Message
from tuneworks.factory.weights import prepare

END_SECONDS = 20
"""How long vLLM may take to shut down before it is killed."""

FEW_CORES = 8
"""Below it every core computes. vLLM would keep one back and bind its threads to the others: of two it leaves one."""

MEMORY_SHARE = 8
"""One part in so many of the machine's memory holds keys and values, where nothing else is said: on a processor vLLM
would take nearly all."""


class Channel:
    """Lines in and out. Standard input and output themselves lead nowhere afterwards: children inherit them."""

    def __init__(self) -> None:
        self.lines: BinaryIO = os.fdopen(os.dup(0), "rb")
        self._out: BinaryIO = os.fdopen(os.dup(1), "wb")
        nowhere = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nowhere, 0)
        os.close(nowhere)
        os.dup2(2, 1)

    def say(self, line: dict[str, Any]) -> None:
        self._out.write(json.dumps(line).encode() + b"\n")
        self._out.flush()


class Served:
    """One AsyncLLM and the requests it works on."""

    def __init__(self, llm: Any, channel: Channel, end: Callable[[], None]) -> None:
        self._llm = llm
        self._channel = channel
        self._end = end
        self._prompts = Prompts(llm.get_tokenizer())
        self._longest: int = llm.model_config.max_model_len
        self._working: dict[int, asyncio.Task[None]] = {}
        self._sampling = importlib.import_module("vllm.sampling_params")
        self._dead: type[Exception] = importlib.import_module("vllm.v1.engine.exceptions").EngineDeadError

    def hear(self, line: bytes) -> None:
        heard: dict[str, Any] = json.loads(line)
        if "abort" in heard:
            task = self._working.get(heard["abort"])
            if task is not None:
                task.cancel()
            return
        number = heard["id"]
        task = self._working[number] = asyncio.create_task(self._answer(number, request_of(heard["request"])))
        task.add_done_callback(lambda _: self._working.pop(number, None))

    async def _answer(self, number: int, request: Request) -> None:
        try:
            reply = await self._reply(number, request)
        except TuneworksError as error:
            self._channel.say({"id": number, "error": str(error)})
        except self._dead as error:
            self._channel.say({"failed": str(error)})
            self._end()
        except Exception as error:  # vLLM raises its own and ValueErrors; the engine itself goes on
            self._channel.say({"id": number, "error": f"vLLM could not answer ({part_of_sentence(str(error))})"})
        else:
            self._channel.say({"id": number, "reply": asdict(reply)})

    async def _reply(self, number: int, request: Request) -> Completion:
        if request.given:
            return await self._score(number, request)
        tokens = self._prompts.encode(request)
        self._fits(len(tokens), "the prompt has")
        if request.candidates:
            return await self._compare(number, request, tokens)
        out = await self._run(number, tokens, self._sampled(request))
        (written,) = out.outputs
        finish: Finish = written.finish_reason if written.finish_reason in ("stop", "length") else "other"
        return Completion(written.text, finish, Usage(len(tokens), len(written.token_ids)))

    def _sampled(self, request: Request) -> Any:
        held = self._sampling.StructuredOutputsParams(json=request.schema) if request.schema else None
        return self._params(
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            top_p=request.top_p,
            presence_penalty=request.presence_penalty,
            stop=list(request.stop),
            seed=request.seed,
            structured_outputs=held,
        )

    async def _compare(self, number: int, request: Request, tokens: list[int]) -> Completion:
        first = self._prompts.first_tokens(request.candidates)
        asked = self._params(max_tokens=1, temperature=0.0, detokenize=False, logprob_token_ids=list(first.values()))
        out = await self._run(number, tokens, asked)
        listed = out.outputs[0].logprobs[0]
        return Completion("", "stop", Usage(len(tokens), 0), {c: listed[t].logprob for c, t in first.items()})

    async def _score(self, number: int, request: Request) -> Completion:
        context, text = self._prompts.given(request.messages, request.given, request.opening)
        tokens = context + text
        self._fits(len(tokens), "the prompt and the given reply have")
        # Each token of the prompt with its own log-probability alone; vLLM always writes one token more.
        asked = self._params(max_tokens=1, temperature=0.0, detokenize=False, prompt_logprobs=0)
        out = await self._run(number, tokens, asked)
        places = range(len(context), len(tokens))
        nats = -sum(out.prompt_logprobs[at][tokens[at]].logprob for at in places)
        return Completion("", "stop", Usage(len(tokens), 0), loss=Loss(nats, len(text)))

    def _params(self, **settings: Any) -> Any:
        return self._sampling.SamplingParams(output_kind=self._sampling.RequestOutputKind.FINAL_ONLY, **settings)

    def _fits(self, tokens: int, what: str) -> None:
        """vLLM writes at least one token, so a prompt must leave room for it."""
        if tokens >= self._longest:
            raise EngineError(
                f"{what} {tokens:,} tokens and vLLM reads at most {self._longest - 1:,}; "
                "shorten it, or raise max_model_len among the args of vllm"
            )

    async def _run(self, number: int, tokens: list[int], asked: Any) -> Any:
        async for out in self._llm.generate({"prompt_token_ids": tokens}, asked, str(number)):
            if out.finished:
                return out
        raise EngineError("vLLM gave no reply")

    def stop(self) -> None:
        for task in self._working.values():
            task.cancel()
        self._llm.shutdown(timeout=END_SECONDS / 2)


def request_of(written: dict[str, Any]) -> Request:
    """From its form in JSON, where tuples are lists."""
    plain: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in written.items()}
    return Request(**{**plain, "messages": tuple(Message(**m) for m in written["messages"])})


def environment() -> None:
    """What vLLM reads from the environment, where the user said nothing. Before vLLM or torch is imported."""
    wished = {"VLLM_NO_USAGE_STATS": "1", "VLLM_WORKER_MULTIPROC_METHOD": "spawn", "NO_COLOR": "1"}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cores < FEW_CORES:
        wished |= {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": str(cores)}
    for name, value in wished.items():
        os.environ.setdefault(name, value)


def on_a_processor(args: dict[str, Any]) -> dict[str, Any]:
    """`args` with what vLLM's build for processors needs besides, where they do not say it."""
    decoding = importlib.import_module("tuneworks.factory.engines.decoding")
    wished: dict[str, Any] = {
        "dtype": str(decoding.device_and_dtype()[1]).removeprefix("torch."),
        "enforce_eager": True,  # compiling takes minutes, and a compiler
        "enable_chunked_prefill": False,  # a seeded request whose prompt is read in parts ends vLLM there
        "max_model_len": -1,  # as long as fits
    }
    if "gpu_memory_utilization" not in args:
        wished["kv_cache_memory_bytes"] = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // MEMORY_SHARE
    return {**wished, **args}


def start(settings: dict[str, Any]) -> Any:
    place = prepare(settings["model"])
    platform = importlib.import_module("vllm.platforms").current_platform
    args = on_a_processor(settings["args"]) if platform.is_cpu() else settings["args"]
    engine_args = importlib.import_module("vllm.engine.arg_utils").AsyncEngineArgs
    usage = importlib.import_module("vllm.usage.usage_lib").UsageContext.LLM_CLASS  # its larger batches
    llm = importlib.import_module("vllm.v1.engine.async_llm").AsyncLLM
    started = llm.from_engine_args(
        engine_args(**{"disable_log_stats": True, **args, "model": place}), usage_context=usage
    )
    if started.get_tokenizer().chat_template is None:
        raise EngineUnavailable(f"the model {settings['model']} has no chat template; name an instruct or chat model")
    return started


def end_group() -> None:
    """This process and all that vLLM started."""
    os.killpg(0, signal.SIGKILL)


def listen(channel: Channel, hear: Callable[[bytes], None], started: threading.Event) -> None:
    """Hand on each line, and at the end of the input an empty one. While vLLM starts nothing else can end it."""
    for line in channel.lines:
        hear(line)
    if not started.is_set():
        end_group()
    hear(b"")


async def serve(channel: Channel) -> None:
    settings: dict[str, Any] = json.loads(channel.lines.readline())
    loop, inbox, started = asyncio.get_running_loop(), asyncio.Queue[bytes](), threading.Event()

    def hear(line: bytes) -> None:
        loop.call_soon_threadsafe(inbox.put_nowait, line)

    threading.Thread(target=listen, args=(channel, hear, started), daemon=True).start()
    try:
        llm = start(settings)
    except Exception as error:  # whatever it is, it is told in one sentence
        channel.say({"failed": str(error) or type(error).__name__})
        return
    started.set()
    served = Served(llm, channel, lambda: inbox.put_nowait(b""))
    channel.say({"ready": seats(llm.vllm_config.scheduler_config.max_num_seqs)})
    while line := await inbox.get():
        served.hear(line)
    late = threading.Timer(END_SECONDS, end_group)
    late.daemon = True
    late.start()
    served.stop()


def seats(sequences: int) -> int:
    """A quarter more than vLLM works on, so that a place that becomes free is taken at its next step."""
    return sequences + max(sequences // 4, 1)


if __name__ == "__main__":
    environment()
    asyncio.run(serve(Channel()))
    os._exit(0)  # vLLM's threads may not end by themselves
