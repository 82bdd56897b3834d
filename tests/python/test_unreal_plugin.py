"""The Unreal plugin's files: what belongs together does, reflection is as UnrealHeaderTool wants it."""

import json
import re
from pathlib import Path

import pytest
from native_client import run
from unreal_headers import HeaderError, generate
from unreal_plugin import DELEGATES, HARNESS, PLUGIN, assemble, description

from visavis import __version__

VISAVIS = PLUGIN / "Visavis"
MODULE = VISAVIS / "Source" / "Visavis"
SOURCES = sorted(MODULE.rglob("*.h")) + sorted(MODULE.rglob("*.cpp"))
HEADER = """#pragma once
#include "CoreMinimal.h"
#include "Thing.generated.h"
UCLASS()
class UThing : public UObject
{
	GENERATED_BODY()
public:
	MEMBER
};
"""


def test_the_descriptor_and_the_build_rules_agree() -> None:
    descriptor = json.loads((VISAVIS / "Visavis.uplugin").read_text("utf-8"))
    rules = (MODULE / "Visavis.Build.cs").read_text("utf-8")
    (module,) = descriptor["Modules"]
    assert descriptor["VersionName"] == __version__
    assert module["Name"] == "Visavis" and "public class Visavis : ModuleRules" in rules
    assert "IMPLEMENT_MODULE(FVisavisModule, Visavis)" in (MODULE / "Private" / "VisavisModule.cpp").read_text("utf-8")
    assert {"Name": "LiveLink", "Enabled": True} in descriptor["Plugins"]
    for path in description().runtime.values():  # staged by the rules, name by name
        assert ", ".join(f'"{part}"' for part in Path(path).parts) in rules
    used = {"LiveLinkInterface": "ILiveLinkSource.h", "DeveloperSettings": "Engine/DeveloperSettings.h"}
    text = "".join(source.read_text("utf-8") for source in SOURCES)
    for name, header in used.items():
        assert f'#include "{header}"' in text and f'"{name}"' in rules


def test_the_package_holds_the_client_as_the_build_rules_look_for_it(tmp_path: Path) -> None:
    plugin = assemble(tmp_path)
    for name in (
        "client/client.c",
        "client/zmtp.h",
        "wire/layout.h",
        "include/visavis/client.h",
        "include/visavis/visavis.h",
    ):
        assert (plugin / "Source" / "Visavis" / "csrc" / name).is_file(), name
    assert (plugin / "Visavis.uplugin").is_file() and (plugin / "Resources" / "default.gguf").is_file()
    assert {"visavis_head.fbx", "visavis_head.md"} <= {path.name for path in (plugin / "Resources").iterdir()}
    assert (plugin / "LICENSE").is_file() and not list(plugin.rglob("*.generated.h"))
    names = [path.name for path in (plugin / "Source").rglob("*") if path.suffix in (".c", ".cpp")]
    assert len(names) == len(set(names)), "object files of a module stand in one folder"


@pytest.mark.system
def test_the_build_rules_say_what_each_platform_needs(tmp_path: Path) -> None:
    """By mono, with a stand-in for UnrealBuildTool."""
    program, plugin = tmp_path / "rules.exe", assemble(tmp_path)
    run("mcs", "-warnaserror", f"-out:{program}", MODULE / "Visavis.Build.cs", HARNESS / "build_rules.cs")
    for name in (*description().runtime.values(), "ThirdParty/Sodium/Win64/libsodium.lib"):
        (plugin / name).parent.mkdir(parents=True, exist_ok=True)
        (plugin / name).write_bytes(b"")
    said = run("mono", program, plugin).splitlines()
    for platform, library in (("Win64", "windows-x86_64"), ("Linux", "linux-x86_64"), ("Mac", "macos")):
        staged = {line.partition("NonUFS ")[2] for line in said if line.startswith(f"{platform} stage ")}
        assert staged == {str(plugin / description().runtime[library]), str(plugin / "Resources" / "default.gguf")}
        assert f"{platform} define VVC_STATIC=1" in said
        assert f"{platform} include {plugin}/Source/Visavis/csrc/include" in said
        assert (f"{platform} define VVC_WITH_SODIUM=1" in said) == (platform == "Win64")
    assert "Win64 link ws2_32.lib" in said and not any(line.startswith("Linux link") for line in said)
    refused = run("mono", program, VISAVIS).splitlines()
    assert len(refused) == 3 and all("refused" in line and "visavis plugins package" in line for line in refused)


def test_house_rules_of_the_module() -> None:
    for source in SOURCES:
        text = source.read_text("utf-8")
        assert not re.search(r"\b(dynamic_cast|throw|try|catch|std::string|std::vector|printf)\b", text), source
        if source.stem not in ("VisavisAxes", "VisavisConnection"):
            assert not re.search(r"RadiansToDegrees|DegreesToRadians|UE_PI", text), f"{source}: axes stand in one file"
        own = re.search(r'#include "(.+)"', text)
        if source.suffix == ".cpp" and (
            source.with_suffix(".h").exists() or (MODULE / "Public" / f"{source.stem}.h").exists()
        ):
            assert own and own[1] == f"{source.stem}.h", f"{source}: its own header comes first"


def test_reflection_is_as_the_header_tool_wants_it(tmp_path: Path) -> None:
    def tool(member: str, text: str = HEADER) -> None:
        header = tmp_path / "Thing.h"
        header.write_text(text.replace("MEMBER", member), "utf-8")
        generate(header, tmp_path, DELEGATES)

    tool('UPROPERTY(EditAnywhere, Category = "X")\n\tTMap<FName, float> Good;')
    assert "FID_Thing_7_GENERATED_BODY" in (tmp_path / "Thing.generated.h").read_text("utf-8")
    for text, member in (
        ("need a Category", "UPROPERTY(EditAnywhere)\n\tint32 Value;"),
        ("no type", 'UPROPERTY(EditAnywhere, Category = "X")\n\tuint32 Value;'),
        ("no type", 'UFUNCTION(BlueprintCallable, Category = "X")\n\tvoid Call(const TArray<std::string>& Values);'),
        ("not private", 'private:\n\tUPROPERTY(EditAnywhere, Category = "X")\n\tint32 Value;'),
        ("one line", 'UFUNCTION(BlueprintCallable, Category = "X")\n\tvoid Call('),
    ):
        with pytest.raises(HeaderError, match=text):
            tool(member)
    with pytest.raises(HeaderError, match="last include"):
        tool("", HEADER.replace('#include "Thing.generated.h"', '#include "Thing.generated.h"\n#include "Other.h"'))
