"""distilabel 1.5.3 as its documentation has it, a pipeline of one task; the setting is its batch size."""

import load
from distilabel.models.llms import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration


def ask(url: str, calls: int, batch: int) -> int:
    data = [{"instruction": load.prompt(n)} for n in range(calls)]
    settings = {"max_new_tokens": load.MAX_TOKENS, "temperature": 1.0, "top_p": 0.95}
    with Pipeline(name="overhead") as pipeline:
        loading = LoadDataFromDicts(data=data, batch_size=batch)
        llm = OpenAILLM(model=load.MODEL, base_url=url, api_key="none", generation_kwargs=settings)
        loading >> TextGeneration(llm=llm, input_batch_size=batch)
    rows = pipeline.run(use_cache=False)["default"]["train"]
    return sum(bool(text) for text in rows["generation"])


if __name__ == "__main__":
    args = load.arguments()
    load.told(lambda: ask(args.url, args.calls, args.setting))
