"""Expected texts and masks of chat templates, from transformers itself.

Three files under `tests/fixtures`:

* `chat_templates.json`: templates written for this test in the style of those on the hub, and single
  expressions, rendered with Jinja2 in the environment that transformers builds for chat templates
  (`transformers.utils.chat_template_utils._compile_jinja_template`).
* `chat_templates/expected.json`: the templates of real models (`chat_templates/*.jinja`, from TRL's
  wheel, see the notice there), through `apply_chat_template(..., tokenize=False)`.
* `chat_templates/masks.json`: TRL's training variants, through `apply_chat_template(...,
  return_assistant_tokens_mask=True)` with three small tokenizers (`chat_templates/tokenizers/`): a
  byte-level BPE as Qwen's, one as Llama 3's, and a Unigram with SentencePiece's word marks.

    python tests/oracles/chat_templates.py            # writes them
    python tests/oracles/chat_templates.py --import   # copies the templates out of TRL's wheel first

Needs transformers 5.23, trl 1.16, tokenizers and jinja2 3.1.
"""

import datetime
import hashlib
import json
import pathlib
import sys

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

DATE = datetime.datetime(2024, 7, 26)


class Generation(Extension):
    """`{% generation %}…{% endgeneration %}` renders its body."""

    tags = {"generation"}

    def parse(self, parser):
        lineno = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(lineno)

    def _body(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda format: DATE.strftime(format)
    return env


CHATML = """\
{% for message in messages %}
{% if loop.first and messages[0]['role'] != 'system' %}
{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}
{% endif %}
{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}
{% endfor %}
{% if add_generation_prompt %}
{{ '<|im_start|>assistant\n' }}
{% endif %}
"""

LLAMA3 = """\
{{- bos_token }}
{%- if strftime_now is defined %}
    {%- set date_string = strftime_now("%d %b %Y") %}
{%- else %}
    {%- set date_string = "26 Jul 2024" %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{{- "Cutting Knowledge Date: December 2023\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if message.role not in ['user', 'assistant'] %}
        {{- raise_exception("Unknown role: " ~ message.role) }}
    {%- endif %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""

ZEPHYR = """\
{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>\n'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""

GEMMA = """\
{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}\
{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}\
{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}\
{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}\
{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}\
{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}"""

MISTRAL = """\
{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- set ns = namespace() %}
{%- set ns.index = 0 %}
{%- for message in loop_messages %}
    {%- if not (message.role == "tool" or message.get("tool_calls")) %}
        {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
            {{- raise_exception("roles must alternate") }}
        {%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token }}
    {%- endif %}
{%- endfor %}
"""

QWEN3 = """\
{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning_content = '' %}
        {%- if '</think>' in content %}
            {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index %}
            {%- if loop.last or (not loop.last and reasoning_content) %}
                {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
            {%- else %}
                {{- '<|im_start|>' + message.role + '\\n' + content }}
            {%- endif %}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
"""

GENERATION = """\
{%- for message in messages %}
  {%- if message.role == 'assistant' %}
<|assistant|>
    {% generation %}
{{ message.content }}{{ eos_token }}
    {%- endgeneration %}
  {%- else %}
<|{{ message.role }}|>
{{ message.content }}
  {% endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|assistant|>
{% endif %}"""

PYTHONIC = """\
{%- macro shout(text, mark='!') -%}{{ text.upper() ~ mark }}{%- endmacro -%}
{{ add_generation_prompt }} {{ tools }} {{ messages[0] }} {{ missing }}|{{ 1.5 }} {{ 3 // 2 }} {{ 7 % 4 }} {{ 2 ** 3 }}
{{ messages | tojson }}
{{ {"b": [1, 2.5, true, none], "a": "é<&>'\\""} | tojson(indent=2) }}
{{ messages | map(attribute='role') | join(',') }} {{ ['a', "it's"] }} {{ (1,) }}
{%- for message in messages %}
    {%- if loop.index0 == 1 %}{% continue %}{% endif %}
    {%- if loop.index0 == 3 %}{% break %}{% endif %}
{{ loop.index }}:{{ shout(message['content'][:5].strip()) }}
{%- endfor %}
{{ strftime_now('%Y-%m-%d %A %d %B %y %b %a %j %H:%M:%S %I %p') }}
{{- messages | selectattr('role', 'equalto', 'user') | list | length }}
{{ 'x=%s' | format(3) }} {{ "a-b".replace('-', '+').split('+') | last }} {{ 'Abc'.title() }}{# a comment #}
{% raw %}{% generation %}{% endraw %}
"""

TEMPLATES = {
    "chatml": CHATML,
    "llama3": LLAMA3,
    "zephyr": ZEPHYR,
    "gemma": GEMMA,
    "mistral": MISTRAL,
    "qwen3": QWEN3,
    "generation": GENERATION,
    "pythonic": PYTHONIC,
}


def turns(*contents, system=None):
    messages = [{"role": "system", "content": system}] if system is not None else []
    for index, content in enumerate(contents):
        messages.append({"role": ("user", "assistant")[index % 2], "content": content})
    return messages


CONVERSATIONS = {
    "one question": turns("How many orders are open?"),
    "answered": turns("How many orders are open?", "SELECT COUNT(*) FROM orders"),
    "system": turns("Name the customers", system="Answer in SQL.  "),
    "several turns": turns("  first\n", "one", "second?", "two\n\n", "third", system="Be brief"),
    "awkward text": turns("tab\tquote ' \" back\\slash <b>&amp;</b>", "naïve 日本語 🎻 {{ no }} {% no %}", ""),
    "wrong role": [{"role": "user", "content": "a"}, {"role": "narrator", "content": "b"}],
    "two questions": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
    "thought": turns("q", "<think>\nhm\n</think>\n\nanswer"),
}


EXPRESSIONS = """\
{{ true }} {{ none }} {{ [1, 'a', none] }} {{ (1, 2) }} {{ {'a': 1.0} }}
{{ 1e16 }} {{ 1e-5 }} {{ 0.1 + 0.2 }} {{ 1/3 }} {{ 10/2 }} {{ 7//2 }} {{ -7//2 }} {{ -7 % 3 }} {{ 2**10 }}
{{ 'a' 'b' }} {{ 'a' + 'b' }} {{ 'a' * 3 }} {{ [1] + [2] }} {{ [0] * 2 }}
{{ 'x' ~ 1 ~ 2.5 }}
{{ 'x' ~ true }}
{{ 'x' ~ none }}
{{ 'x' ~ ['a'] }}
{{ 'a' in 'cat' }} {{ 'a' in ['a'] }} {{ 'a' in {'a': 1} }} {{ 1 in [1.0] }} {{ 'z' not in 'cat' }}
{{ 'a' is string }} {{ 1 is string }} {{ 'a' is iterable }} {{ [1] is iterable }} {{ {'a': 1} is iterable }} {{ 1 is iterable }} {{ none is iterable }}
{{ 'a' is sequence }} {{ [1] is sequence }} {{ {'a': 1} is sequence }} {{ 1 is sequence }}
{{ true is number }} {{ 1.5 is number }} {{ 'a' is number }} {{ 1 is integer }} {{ true is integer }} {{ 1.0 is float }}
{{ {'a': 1} is mapping }} {{ [1] is mapping }} {{ x is defined }} {{ x is undefined }} {{ none is none }} {{ true is true }} {{ 1 is true }} {{ true is boolean }}
{{ 4 is even }} {{ 3 is odd }} {{ 9 is divisibleby(3) }} {{ 'a' is lower }} {{ 'A' is upper }} {{ 1 is sameas(1) }} {{ 2 is gt(1) }} {{ 1 is in [1] }}
{{ x }}|{{ x.y is defined }}
{{ 'abc'[0] }} {{ 'abc'[-1] }} {{ 'abc'[1:] }} {{ 'abc'[::-1] }} {{ [1,2,3][1:] }} {{ [1,2,3][::-1] }} {{ [1,2,3][-2:] }}
{{ 'naïve 日本'[2:4] }} {{ 'naïve' | length }} {{ 'naïve' | upper }}
{% for c in 'añ🎻' %}<{{ c }}>{% endfor %}
{% for k in {'b': 1, 'a': 2} %}{{ k }}{% endfor %}
{% for k, v in {'b': 1, 'a': 2}.items() %}{{ k }}={{ v }};{% endfor %}
{% for k, v in {'b': 1, 'a': 2} | dictsort %}{{ k }}={{ v }};{% endfor %}
{% for k, v in {'b': 1, 'a': 2} | items %}{{ k }}={{ v }};{% endfor %}
{% for x in [1, 2, 3] if x != 2 %}{{ loop.index }}/{{ loop.length }}:{{ x }} {% else %}none{% endfor %}
{% for x in [] %}a{% else %}none{% endfor %}
{% for x in [1, 2, 3] %}{{ loop.first }}{{ loop.last }}{{ loop.revindex }}{{ loop.previtem }}{{ loop.nextitem }} {% endfor %}
{% for x in [1, 1, 2] %}{{ loop.changed(x) }} {{ loop.cycle('a', 'b') }} {% endfor %}
{% for x in range(3) %}{{ x }}{% endfor %} {{ range(1, 10, 3) | list }}
{% set a, b = 1, 2 %}{{ a }}{{ b }}
{% set x %}block{% endset %}{{ x }} {% set y | upper %}block{% endset %}{{ y }}
{% set ns = namespace(a=1) %}{% for i in [1, 2] %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}
{% set a = 1 %}{% for i in [1] %}{% set a = 2 %}{% endfor %}{{ a }}
{% if x %}a{% elif 0 %}b{% else %}c{% endif %}
{{ 'a' if true else 'b' }} {{ 'a' if false }}|
{{ not true }} {{ true and 'x' }} {{ none or 'y' }} {{ '' or 'z' }} {{ 0 or [] }}
{{ '  a b  '.strip() }}|{{ '  a'.lstrip() }}|{{ 'a  '.rstrip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'abc'.lstrip('ab') }}
{{ 'a,b,c'.split(',') }} {{ 'a,b,c'.split(',', 1) }} {{ ' a  b '.split() }} {{ 'a,b,c'.rsplit(',', 1) }} {{ 'a\\nb'.splitlines() }}
{{ 'abcabc'.replace('b', 'x') }} {{ 'abcabc'.replace('b', 'x', 1) }} {{ 'abc' | replace('b', 'x') }}
{{ 'Abc'.lower() }} {{ 'abc'.upper() }} {{ 'aB c'.title() }} {{ 'aBC'.capitalize() }} {{ 'aB'.swapcase() }}
{{ 'abc'.startswith('ab') }} {{ 'abc'.startswith(('x', 'a')) }} {{ 'abc'.endswith('c') }} {{ 'abc'.find('c') }} {{ 'abc'.find('z') }} {{ 'abca'.rfind('a') }} {{ 'abca'.count('a') }} {{ 'abc'.index('b') }}
{{ 'ab'.isalpha() }} {{ '12'.isdigit() }} {{ 'a1'.isalnum() }} {{ ' '.isspace() }} {{ 'A'.isupper() }} {{ 'a'.islower() }}
{{ 'abc'.removeprefix('a') }} {{ 'abc'.removesuffix('c') }} {{ 'a=b=c'.partition('=') }} {{ 'a=b=c'.rpartition('=') }}
{{ 'a'.ljust(3) }}| {{ 'a'.rjust(3, '.') }} {{ 'a'.center(4) }}| {{ '7'.zfill(3) }} {{ '-7'.zfill(4) }}
{{ ', '.join(['a', 'b']) }} {{ '{} {x}'.format(1, x=2) }} {{ '%s' | format('a') }}
{{ '%s-%d' % ('a', 3) }}
{{ {'a': 1}.get('a') }} {{ {'a': 1}.get('b') }} {{ {'a': 1}.get('b', 'c') }} {{ {'a': 1}.keys() | list }} {{ {'a': 1}.values() | list }}
{{ [1, 2, 1].count(1) }} {{ [1, 2].index(2) }}
{{ [3, 1, 2] | sort }} {{ ['b', 'A'] | sort }} {{ [1, 2] | reverse | list }} {{ [1, 2, 3] | sum }} {{ [1, 2] | max }} {{ [1, 2] | min }} {{ [1, 1, 2] | unique | list }}
{{ [1, 2] | first }} {{ [1, 2] | last }} {{ 'ab' | first }} {{ 'ab' | list }} {{ [1, [2]] | length }} {{ {'a': 1} | length }} {{ {'a': 1} | list }}
{{ [1, none, true] | join('-') }} {{ ['a', 'b'] | join }} {{ [{'n': 'x'}, {'n': 'y'}] | join(',', attribute='n') }} {{ 'abc' | join('.') }}
{{ [{'n': 1}, {'n': 2}] | map(attribute='n') | list }} {{ ['a'] | map('upper') | list }} {{ [{'n': 1}, {}] | map(attribute='n', default=0) | list }}
{{ [{'n': 1}, {'n': 2}] | selectattr('n', 'equalto', 2) | list }} {{ [{'n': 1}, {}] | selectattr('n', 'defined') | list }} {{ [{'n': 1}] | rejectattr('n') | list }}
{{ [1, 2, 3] | select('odd') | list }} {{ [1, 2, 3] | reject('equalto', 2) | list }} {{ [0, 1] | select | list }}
{{ x | default('d') }} {{ '' | default('d') }}| {{ '' | default('d', true) }} {{ none | default('d', boolean=true) }}
{{ ' a ' | trim }}| {{ 'xax' | trim('x') }} {{ 1 | string }} {{ true | string }} {{ none | string }} {{ [1] | string }}
{{ 'a b' | title }} {{ 'aB' | capitalize }} {{ 'a' | upper }} {{ 'A' | lower }} {{ 'x' | center(5) }}| {{ 'a b c' | wordcount }}
{{ '3' | int }} {{ 'x' | int }} {{ 3.7 | int }} {{ '1.5' | float }} {{ 2.5 | round }} {{ 2.567 | round(2) }} {{ -3 | abs }}
{{ 'a\\nb' | indent }} {{ 'a\\nb' | indent(2, true) }} {{ 'a\\n\\nb' | indent(2) }}
{{ [1, 2, 3] | batch(2) | list }} {{ [1, 2, 3] | tojson }} {{ [1] | batch(2, 'x') | list }}
{{ {'b': 1, 'a': [true, none, 1.0, 1e20, 'é"<>&']} | tojson }}
{{ {'b': 1, 'a': 2} | tojson(sort_keys=true) }} {{ {'a': [1, {'b': []}], 'c': {}} | tojson(indent=2) }} {{ [1, 2] | tojson(indent=0) }}
{{ 'é🎻\\u007f' | tojson(ensure_ascii=true) }} {{ [1, 2] | tojson(separators=(',', ':')) }} {{ {'a': 1} | tojson(separators=(',', ':')) }} {{ [1] | tojson(indent='\\t') }}
{{ 'a\\tb\\\\c/' | tojson }} {{ 'x' | tojson | length }}
{{ "it's" | list | first }} {{ ["it's", 'say "x"', 'both \\' "'] }}
{{ dict(a=1) }} {{ dict({'a': 1}, b=2) }}
{% macro f(a, b='x') %}{{ a }}{{ b }}{% endmacro %}{{ f(1) }}{{ f(1, b=2) }}{{ f(a=3) }}
{% macro g() %}[{{ caller() }}]{% endmacro %}{% call g() %}in{% endcall %}
{% macro h() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ h(1, a=2) }}
{% filter upper %}abc{% endfilter %}
{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}
{% raw %}{{ x }}{% endraw %}{# comment #}
{{ strftime_now('%d %B %Y') }} {{ strftime_now('%-d/%-m/%y %H:%M') }}
{{ raise_exception('no ' ~ 1) }}
{{ x.y.z }}
{{ 'a' + 1 }}
{{ [1][5] }}|{{ {'a': 1}['b'] }}|{{ {'a': 1}.b }}
{{ messages[0].content }} {{ messages[0]['role'] }} {{ messages | length }} {{ messages[-1].role }} {{ messages[0].nothing is defined }}
{% for m in messages %}{% if not loop.first %}, {% endif %}{{ m.role }}{% endfor %}
{% set m = messages[0] %}{% set messages = messages[1:] %}{{ messages | length }}{{ m.role }}
{%- if tools is not none and tools %}t{% else %}no tools{% endif -%}
a {%- if true %} b {% endif -%} c
  {% if true %}
    indented
  {% endif %}
end
"""


def expressions(env):
    """One template per line; of the last, which has several, all."""
    lines = EXPRESSIONS.split("\n")
    tail = next(index for index, line in enumerate(lines) if line.startswith("  {% if true %}"))
    sources = lines[:tail] + ["\n".join(lines[tail:])]
    found = []
    for source in sources:
        try:
            text = env.from_string(source).render(messages=turns("q", "a"), tools=None, documents=None)
        except Exception as error:  # what Python raises (TypeError, IndexError) is an error here too
            found.append({"source": source, "error": str(error)})
        else:
            found.append({"source": source, "text": text})
    return found


def small(env):
    cases = []
    for template_name, source in TEMPLATES.items():
        template = env.from_string(source)
        for conversation_name, messages in CONVERSATIONS.items():
            for add_generation_prompt in (False, True):
                case = {
                    "template": template_name,
                    "conversation": conversation_name,
                    "add_generation_prompt": add_generation_prompt,
                }
                try:
                    case["text"] = template.render(
                        messages=messages,
                        tools=None,
                        documents=None,
                        add_generation_prompt=add_generation_prompt,
                        bos_token="<s>",
                        eos_token="</s>",
                    )
                except jinja2.exceptions.TemplateError as error:
                    case["error"] = str(error)
                cases.append(case)
    return {
        "jinja2": jinja2.__version__,
        "templates": TEMPLATES,
        "conversations": CONVERSATIONS,
        "cases": cases,
        "expressions": expressions(env),
    }


WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city — «now»",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Name, as in 'Zürich'"},
                "days": {"type": "integer", "enum": [1, 3, 7]},
            },
            "required": ["city"],
        },
    },
}


def call(name, arguments):
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


def real_conversations():
    user = lambda text: {"role": "user", "content": text}
    answer = lambda text, **more: {"role": "assistant", "content": text, **more}
    tool = lambda text: {"role": "tool", "content": text, "name": "get_weather"}
    asked = answer("", tool_calls=[call("get_weather", {"city": "Zürich", "days": 3})])
    silent = answer(None, tool_calls=[call("get_weather", {"city": "Bern"})])
    both = answer("Let me look.", tool_calls=[call("get_weather", {"city": "A"}), call("get_weather", {"city": "B"})])
    found = {
        name: {"messages": messages}
        for name, messages in {
            "question": turns("How many orders are open?"),
            "answered": turns("How many orders are open?", "SELECT COUNT(*) FROM orders"),
            "system": turns("Name the customers", "SELECT name FROM customers", system="Answer in SQL.  "),
            "several turns": turns("  first\n", "one", "second?", "two\n\n", "third", "three", system="Be brief"),
            "unicode": turns("naïve 日本語 🎻 \u200d x", "«ça» — ﷽ \u00a0z"),
            "template text": turns("{{ no }} {% no %} {# no #} <b>&amp;</b> ' \" \\ \t", "{% generation %}x{% endgeneration %}"),
            "empty question": turns("", "a"),
            "empty answer": turns("q", ""),
            "only system": [{"role": "system", "content": "S"}],
            "empty system": turns("q", "a", system=""),
            "two questions": [user("a"), user("b")],
            "two answers": [user("a"), answer("b"), answer("c")],
            "assistant first": [answer("Welcome"), user("hi"), answer("hello")],
            "narrator": [user("a"), {"role": "narrator", "content": "b"}],
            "late system": [user("a"), {"role": "system", "content": "b"}, answer("c")],
            "thought": turns("q", "<think>\nhm\n</think>\n\nanswer", "r", "<think>x</think>b"),
            "reasoning": [user("q"), answer("a", reasoning_content="because"), user("r"), answer("b", thinking="so")],
            "named": [{"role": "user", "content": "a", "name": "Ada"}, answer("b")],
            "tool result alone": [user("w?"), asked, tool('{"t": 21}'), answer("21 °C")],
        }.items()
    }
    for name, messages in {
        "tools": [user("w?"), asked, tool('{"t": 21}'), answer("21 °C")],
        "tools and system": [{"role": "system", "content": "S"}, user("w?"), silent, tool("rain"), answer("Rain.")],
        "two calls": [user("w?"), both, tool("1"), tool("2"), answer("1 and 2"), user("thanks"), answer("bye")],
        "tools unused": turns("hi", "hello"),
    }.items():
        found[name] = {"messages": messages, "tools": [WEATHER]}
    return found


REAL = [
    "llama3", "llama3_1", "llama3_2", "qwen2_5", "qwen3", "gemma", "gemma3", "phi3", "phi3_5", "cohere2",
    "cohere", "deepseekv3", "glm4moe", "lfm2", "qwen3_instruct_2507",
]  # fmt: skip
TRAINING = [
    "llama3_training", "qwen2_5_training", "qwen3_training", "gemma_training", "gemma3_training", "phi3_training",
    "phi3_5_training", "cohere2_training",
]  # fmt: skip
HERE = pathlib.Path(__file__).parent.parent / "fixtures" / "chat_templates"


def import_templates():
    import trl

    folder = pathlib.Path(trl.__file__).parent / "chat_templates"
    lines = []
    for name in REAL + TRAINING:
        data = (folder / f"{name}.jinja").read_bytes()
        (HERE / f"{name}.jinja").write_bytes(data)
        lines.append(f"{hashlib.sha256(data).hexdigest()}  {name}.jinja\n")
    (HERE / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


class FixedDate(datetime.datetime):
    """The day that `strftime_now` sees."""

    @classmethod
    def now(cls, tz=None):
        return cls(DATE.year, DATE.month, DATE.day)


def real():
    from transformers import PreTrainedTokenizerFast
    from transformers.utils import chat_template_utils

    chat_template_utils.datetime = FixedDate
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizers_for_masks()["qwen"], bos_token="<s>", eos_token="</s>")
    conversations = real_conversations()
    texts = {}
    for name in REAL + TRAINING:
        source = (HERE / f"{name}.jinja").read_text(encoding="utf-8")
        texts[name] = {}
        for conversation, row in conversations.items():
            for add_generation_prompt in (False, True):
                key = f"{conversation}{' +' if add_generation_prompt else ''}"
                try:
                    text = fast.apply_chat_template(
                        row["messages"], tools=row.get("tools"), chat_template=source, tokenize=False,
                        add_generation_prompt=add_generation_prompt,
                    )  # fmt: skip
                    texts[name][key] = {"text": text}
                except Exception as error:
                    texts[name][key] = {"error": str(error)}
    return {"conversations": conversations, "texts": texts}


SPECIAL = [
    "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>",
    "<start_of_turn>", "<end_of_turn>", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>",
    "<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>", "<|USER_TOKEN|>", "<|CHATBOT_TOKEN|>", "<|SYSTEM_TOKEN|>",
    "<|START_RESPONSE|>", "<|END_RESPONSE|>",
]  # fmt: skip
CORPUS = [
    "How many orders are open? SELECT COUNT(*) FROM orders WHERE city = 'Lyon';",
    "You are a helpful assistant. Answer in SQL. user assistant system model\n\n",
    "The quick brown fox jumps over the lazy dog. naïve 日本語",
]


def tokenizers_for_masks():
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    special = [AddedToken(text, special=True, normalized=False) for text in SPECIAL]
    alphabet = pre_tokenizers.ByteLevel.alphabet()

    def bpe():
        tokenizer = Tokenizer(models.BPE())
        trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
        return tokenizer, trainer

    qwen, trainer = bpe()
    pattern = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    split = pre_tokenizers.Split(Regex(pattern), "isolated")
    qwen.normalizer = normalizers.NFC()
    qwen.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)]
    )
    qwen.decoder = decoders.ByteLevel()
    qwen.post_processor = processors.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    qwen.train_from_iterator(CORPUS, trainer)

    llama, trainer = bpe()
    llama.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=False)]
    )
    llama.decoder = decoders.ByteLevel()
    llama.train_from_iterator(CORPUS, trainer)
    bos = ("<s>", llama.token_to_id("<s>"))
    llama.post_processor = processors.Sequence(
        [processors.ByteLevel(trim_offsets=True), processors.TemplateProcessing("<s> $A", "<s> $A $B", [bos])]
    )

    pieces = [("<unk>", 0.0)] + [(text, 0.0) for text in SPECIAL]
    pieces += [(f"<0x{byte:02X}>", -20.0) for byte in range(256)]
    words = sorted({word for line in CORPUS for word in line.split()})
    pieces += [("▁", -3.0)] + [(f"▁{word}", -4.0) for word in words] + [(c, -6.0) for c in sorted(set("".join(words)))]
    gemma = Tokenizer(models.Unigram(pieces, 0, byte_fallback=True))
    gemma.normalizer = normalizers.Replace(" ", "▁")
    gemma.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    gemma.add_special_tokens(special)
    return {"qwen": qwen, "llama": llama, "gemma": gemma}


def masks():
    from transformers import PreTrainedTokenizerFast

    found = {}
    conversations = real_conversations()
    for kind, tokenizer in tokenizers_for_masks().items():
        folder = HERE / "tokenizers" / kind
        folder.mkdir(parents=True, exist_ok=True)
        tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
        config = {"bos_token": "<s>", "eos_token": "</s>"}
        (folder / "tokenizer_config.json").write_text(json.dumps(config) + "\n", encoding="utf-8")
        fast = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), **config)
        for name in TRAINING:
            fast.chat_template = (HERE / f"{name}.jinja").read_text(encoding="utf-8")
            for conversation, row in conversations.items():
                try:
                    out = fast.apply_chat_template(
                        row["messages"], tools=row.get("tools"), tokenize=True, return_dict=True,
                        return_assistant_tokens_mask=True,
                    )  # fmt: skip
                except Exception:
                    continue
                found.setdefault(kind, {}).setdefault(name, {})[conversation] = {
                    "n_tokens": len(out["input_ids"]),
                    "ids": hashlib.sha256(",".join(map(str, out["input_ids"])).encode()).hexdigest(),
                    "spans": runs(out["assistant_masks"]),
                }
    return found


def runs(mask):
    """`[start, end)` of each stretch of ones."""
    edges = [index for index in range(len(mask) + 1) if (mask + [0])[index] != ([0] + mask)[index]]
    return [edges[index : index + 2] for index in range(0, len(edges), 2)]


def write(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=None, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{path}: {path.stat().st_size} bytes")


def main():
    if "--import" in sys.argv:
        import_templates()
    fixtures = pathlib.Path(__file__).parent.parent / "fixtures"
    write(fixtures / "chat_templates.json", small(environment()))
    write(HERE / "expected.json", real())
    write(HERE / "masks.json", masks())


if __name__ == "__main__":
    main()
