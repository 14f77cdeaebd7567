"""distilabel 1.5.3, its model class alone; the setting is how many prompts it is given at a time (its batch)."""

import load
from distilabel.models.llms import OpenAILLM


def ask(llm: OpenAILLM, calls: int, batch: int) -> int:
    replies = 0
    for start in range(0, calls, batch):
        inputs = [[{"role": "user", "content": load.prompt(n)}] for n in range(start, min(start + batch, calls))]
        outputs = llm.generate(inputs=inputs, max_new_tokens=load.MAX_TOKENS, temperature=1.0, top_p=0.95)
        replies += sum(bool(output["generations"][0]) for output in outputs)
    return replies


if __name__ == "__main__":
    args = load.arguments()
    llm = OpenAILLM(model=load.MODEL, base_url=args.url, api_key="none")
    llm.load()
    load.told(lambda: ask(llm, args.calls, args.setting))
