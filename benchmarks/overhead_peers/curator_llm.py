"""bespokelabs-curator 0.1.31 over its backend for OpenAI; the setting is `max_concurrent_requests`."""

import load
from bespokelabs import curator

UNLIMITED = 100_000_000


def ask(llm: curator.LLM, calls: int) -> int:
    rows = llm([load.prompt(n) for n in range(calls)]).dataset
    return sum(bool(text) for text in rows["response"])


if __name__ == "__main__":
    args = load.arguments()
    llm = curator.LLM(
        model_name=load.MODEL,
        backend="openai",
        backend_params={
            "base_url": args.url,
            "api_key": "none",
            "max_concurrent_requests": args.setting,
            "max_requests_per_minute": UNLIMITED,
            "max_tokens_per_minute": UNLIMITED,
        },
        generation_params={"max_tokens": load.MAX_TOKENS, "temperature": 1.0, "top_p": 0.95},
    )
    load.told(lambda: ask(llm, args.calls))
