"""What UnrealHeaderTool does, as far as tests need it: checks a header's reflection, writes its *.generated.h."""

import re
from collections.abc import Iterator
from pathlib import Path

# Types that Blueprint and properties know; wrapped ones are looked into.
PLAIN = {"bool", "uint8", "int32", "int64", "float", "double", "FString", "FName", "FText", "FGuid", "FFrameRate",
         "FRotator", "FVector", "void"}  # fmt: skip
WRAPPED = re.compile(r"^(?:TArray|TMap|TObjectPtr|TSubclassOf)<(.+)>$")
TYPE = r"(?:const )?(?P<type>[\w:]+(?:<[^;()]*?>)?)\s*[&*]?"
PROPERTY = re.compile(TYPE + r" ?\w+(?: = .*)?;$")
ARGUMENT = re.compile(TYPE + r" ?\w+(?: = .*)?$")
FUNCTION = re.compile(
    r"(?:static |virtual )?" + TYPE + r" ?\w+\((?P<arguments>.*)\)(?: const)?(?:;| \{.*\}| override;)$"
)
MEMBER = re.compile(r"(UPROPERTY|UFUNCTION)\((.*)\)$")
MACRO = re.compile(r"^(UCLASS|USTRUCT|UENUM)\((.*)\)$")
DECLARED = re.compile(r"^(?:class|struct|enum class) (?:VISAVIS_API )?(\w+)(?: : (?:public )?(\w+))?$")


class HeaderError(Exception):
    """What UnrealHeaderTool would refuse."""


def declared(header: Path) -> set[str]:
    """Names of the header's reflected types."""
    lines = header.read_text("utf-8").splitlines()
    found = (DECLARED.match(lines[i + 1]) for i, line in enumerate(lines) if MACRO.match(line))
    return {match[1] for match in found if match}


def generate(header: Path, into: Path, known: set[str]) -> None:
    """Writes the header's generated file into `into`.  `known`: reflected types of all headers."""
    lines = header.read_text("utf-8").splitlines()
    marked = [i for i, line in enumerate(lines) if MACRO.match(line)]
    includes = [line for line in lines if line.startswith("#include")]
    own = f'#include "{header.stem}.generated.h"'
    if not marked:
        if own in includes:
            raise HeaderError(f"{header.name}: nothing is reflected, but it includes its generated header")
        return
    if includes[-1:] != [own]:
        raise HeaderError(f"{header.name}: the last include is {includes[-1:]}, expected {own}")
    file_id = f"FID_{header.stem}"
    out = [
        "// Written by tests/python/unreal_headers.py.",
        "#undef CURRENT_FILE_ID",
        f"#define CURRENT_FILE_ID {file_id}",
    ]
    for at in marked:
        kind, specifiers = MACRO.match(lines[at]).groups()  # type: ignore[union-attr]
        declaration = DECLARED.match(lines[at + 1])
        if declaration is None:
            raise HeaderError(f"{header.name}:{at + 2}: {lines[at + 1]!r} declares no reflected type")
        name, base = declaration.groups()
        if kind != "UENUM":
            body = next(i for i in range(at + 2, at + 6) if "GENERATED_BODY()" in lines[i])
            out.append(f"#define {file_id}_{body + 1}_GENERATED_BODY {_body(kind, name, base, specifiers)}")
    _check_members(header.name, lines, known)
    into.mkdir(parents=True, exist_ok=True)
    (into / f"{header.stem}.generated.h").write_text("\n".join(out) + "\n", "utf-8")


def _body(kind: str, name: str, base: str | None, specifiers: str) -> str:
    if kind == "USTRUCT":
        made = f'{{ static UScriptStruct Struct{{"{name[1:]}"}}; return &Struct; }}'
        return f"static UScriptStruct* StaticStruct() {made} public:"
    if base is None or name[0] not in "UA":
        raise HeaderError(f"{name}: a UCLASS has a base and begins with U or A")
    make = "nullptr" if "Abstract" in specifiers else f"[]() -> UObject* {{ return NewObject<{name}>(nullptr); }}"
    return (f'public: using Super = {base}; using ThisClass = {name}; static UClass* StaticClass() '
            f'{{ static UClass Class{{"{name[1:]}", {make}}}; return &Class; }} private:')  # fmt: skip


def _members(lines: list[str]) -> Iterator[tuple[int, str, str, str, str]]:
    """Line, kind, specifiers, declaration and section of each reflected member."""
    section = "private"
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if re.fullmatch(r"(public|protected|private):", text):
            section = text[:-1]
        if re.match(r"(class|struct) ", text) and text[-1] != ";":
            section = "public" if text.startswith("struct") else "private"
        if member := MEMBER.match(text):
            yield number + 1, member[1], member[2], lines[number].strip(), section


def _check_members(where: str, lines: list[str], known: set[str]) -> None:
    for number, kind, specifiers, declaration, section in _members(lines):
        place = f"{where}:{number}: {declaration!r}"
        if "Blueprint" in specifiers or "Edit" in specifiers:
            if "Category" not in specifiers:
                raise HeaderError(f"{place}: visible members need a Category")
            if kind == "UPROPERTY" and section == "private":
                raise HeaderError(f"{place}: visible properties are not private")
        found = (PROPERTY if kind == "UPROPERTY" else FUNCTION).match(declaration)
        if found is None:
            raise HeaderError(f"{place}: not a declaration on one line")
        _check_type(place, found["type"], known)
        if kind == "UFUNCTION":
            for argument in filter(None, re.split(r", (?![^<]*>)", found["arguments"])):
                one = ARGUMENT.match(argument)
                _check_type(place, one["type"] if one else argument, known)


def _check_type(place: str, name: str, known: set[str]) -> None:
    if wrapped := WRAPPED.match(name):
        for inner in wrapped[1].split(", "):
            _check_type(place, inner, known)
    elif name not in PLAIN and name not in known and not re.match(r"U[A-Z]\w+$", name):
        raise HeaderError(f"{place}: {name} is no type that Blueprint knows")
