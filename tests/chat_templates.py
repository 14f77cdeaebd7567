"""Chat templates of the forms that models have, written for tests, over the special tokens of the toy tokenizer."""

LLAMA3 = (
    "{{ '<|pad|>' }}{% for turn in messages %}"
    "<|im_start|>{{ turn.role }}\n\n{{ turn.content | trim }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n\n{% endif %}"
)
"""Begins with a token of its own, trims what is said, and ends turns without a line break."""

DATED = "<|im_start|>system\nToday: {{ strftime_now('%d %b %Y') }}<|im_end|>" + LLAMA3

GEMMA = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for turn in messages %}"
    "{% if (turn.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate') }}{% endif %}"
    "<|im_start|>{{ 'model' if turn.role == 'assistant' else turn.role }}\n{{ turn.content | trim }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>model\n{% endif %}"
)
"""The assistant is called model, and there is no system turn."""

MISTRAL = (
    "{% if messages[0].role == 'system' %}{% set system = messages[0].content + '\n\n' %}"
    "{% set turns = messages[1:] %}{% else %}{% set system = '' %}{% set turns = messages %}{% endif %}"
    "{% for turn in turns %}{% if turn.role == 'user' %}"
    "[INST] {% if loop.last or (loop.revindex == 2 and turns[-1].role == 'assistant') %}{{ system }}{% endif %}"
    "{{ turn.content }}[/INST]{% else %} {{ turn.content }}<|im_end|>{% endif %}{% endfor %}"
)
"""The system turn is folded into the last question, wherever that is."""

FORGETFUL = (
    "{% set last = namespace(at=-1) %}"
    "{% for turn in messages %}{% if turn.role == 'user' %}{% set last.at = loop.index0 %}{% endif %}{% endfor %}"
    "{% for turn in messages %}<|im_start|>{{ turn.role }}\n"
    "{% if turn.role == 'assistant' and loop.index0 < last.at %}{{ turn.content.split('</think>')[-1] | trim }}"
    "{% else %}{{ turn.content }}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Earlier thinking is dropped once another question follows."""

OUTSIDE = (
    "{% for turn in messages %}<|im_start|>{{ turn.role }}\n{% if turn.role == 'assistant' %}"
    "{% generation %}{{ turn.content }}{% endgeneration %}{% else %}{{ turn.content }}{% endif %}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Marks what the assistant says without the token that ends it."""

PREFILLED = (
    "{% for turn in messages %}<|im_start|>{{ turn.role }}\n{{ turn.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)
"""Asks for an answer with words that it does not write before one that was given."""

PHI = (
    "{% for turn in messages %}<|im_start|>{{ turn.role }}\n{{ turn.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% else %}<|pad|>{% endif %}"
)
"""Ends every conversation, and so none of its beginnings, with a token of its own."""
