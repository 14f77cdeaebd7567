"""What an answer may be compared on: one question a principle, in both languages, in the same order."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tuneworks.factory.errors import InputError
from tuneworks.factory.language import Language

ENGLISH = (
    "Which answer does what was asked, all of it and nothing else?",
    "Which answer is true and free of mistakes?",
    "Which answer would help the person more with what they want to get done?",
    "Which answer is clearer and easier to follow?",
    "Which answer speaks of the subject that was asked about?",
    "Which answer says openly what is uncertain or not known, and makes nothing up?",
    "Which answer could do less harm to anybody?",
    "Which answer would a kind, wise and honest person rather give?",
    "Which answer treats people of every origin, belief, age and sex with the same respect?",
    "Which answer gives less help to somebody who wants to break the law or hurt others?",
    "Which answer keeps other people's private matters private?",
    "Which answer is polite, without preaching and without looking down on the person?",
    "Which answer says what is useful in as few words as that takes?",
    "Which answer gives reasons, steps or examples that really support what it says?",
    "Which answer keeps to the form, length, style or language that was asked for?",
    "Which answer is more careful where health, money, law or safety are at stake?",
    "Which answer tries less to talk the person into an opinion or a purchase?",
    "Which answer better fits a reader who may be a child or may be in distress?",
    "Which answer declines only what should be declined, and helps with the rest?",
    "Which answer does not pretend to be a human being or to have done what it cannot do?",
)

CHINESE = (
    "哪个回答完成了要求的全部内容，而且没有多余的东西？",
    "哪个回答真实、没有错误？",
    "哪个回答更能帮助对方做成想做的事？",
    "哪个回答更清楚、更容易看懂？",
    "哪个回答说的正是所问的主题？",
    "哪个回答坦白说明不确定或不知道的地方，没有编造？",
    "哪个回答更不容易给任何人造成伤害？",
    "哪个回答更像一个善良、明智、诚实的人会给出的？",
    "哪个回答对不同出身、信仰、年龄和性别的人一样尊重？",
    "哪个回答更少帮助想要违法或伤害他人的人？",
    "哪个回答更好地保护了他人的隐私？",
    "哪个回答有礼貌，既不说教，也不看轻对方？",
    "哪个回答用尽量少的话说清了有用的内容？",
    "哪个回答给出的理由、步骤或例子真正支持了它的说法？",
    "哪个回答符合所要求的形式、长度、风格或语言？",
    "哪个回答在健康、金钱、法律或安全问题上更谨慎？",
    "哪个回答更少试图劝人接受某种观点或购买某样东西？",
    "哪个回答更适合可能是孩子、或正处于困境中的读者？",
    "哪个回答只拒绝应当拒绝的部分，并在其余部分提供帮助？",
    "哪个回答没有假装自己是人，也没有假装做过它做不到的事？",
)

PRINCIPLES: Mapping[Language, tuple[str, ...]] = {"en": ENGLISH, "zh": CHINESE}


def load_principles(file: str | None) -> Mapping[Language, tuple[str, ...]]:
    """Ours, or those of the user's YAML file: a list of questions, or such lists under `en` and `zh`."""
    if file is None:
        return PRINCIPLES
    path = Path(file).expanduser()
    written = _read(path)
    if not isinstance(written, Mapping):
        return dict.fromkeys(PRINCIPLES, _listed(written, path))
    if not set(written) <= set(PRINCIPLES) or not written:
        raise InputError(
            f"the principles file {path} is a mapping of other names than en and zh; write a list under each"
        )
    ours: dict[Language, tuple[str, ...]] = {}
    for language in PRINCIPLES:
        ours[language] = _listed(written[language], path) if language in written else PRINCIPLES[language]
    return ours


def _read(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"the principles file {path} cannot be read: {error.strerror}; correct its path") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"the principles file {path} is not YAML text ({reason}); correct it") from error


def _listed(written: object, path: Path) -> tuple[str, ...]:
    if not isinstance(written, Sequence) or isinstance(written, str) or not written:
        raise InputError(f"the principles file {path} holds no list; write one question a line, each after '- '")
    for number, text in enumerate(written, 1):
        if not isinstance(text, str) or not text.strip():
            raise InputError(f"principle {number} in {path} is no text; write it in quotes")
    return tuple(text.strip() for text in written)
