"""The Unity package as files: what Unity's importer expects, and imports that are those of the C headers."""

import json
import re
import struct
from pathlib import Path

import pytest

import visavis
from visavis.plugins import natives
from visavis.plugins.archive import read_archive
from visavis.plugins.package import make_packages

ROOT = Path(__file__).parents[2]
UNITY = ROOT / "engine_plugins" / "unity"
PACKAGE, NATIVES = UNITY / "dev.visavis.heads", UNITY / "natives"
HEADERS = ROOT / "csrc" / "include" / "visavis"
# what a C parameter is in C#; pointers to handles and structs are matched by their stars
NUMBERS = {
    "int32_t": "int", "int": "int", "uint32_t": "uint", "int64_t": "long", "uint64_t": "ulong", "size_t": "UIntPtr",
    "double": "double", "float": "float", "char": "byte", "void": "void", "vvc_result": "int", "vv_status": "int",
    "vvc_options": "ClientOptions", "vvc_frame": "NativeFrame", "vvc_audio": "NativeAudio", "vvc_stats": "ClientStats",
    "vvc_head_options": "ClientHeadOptions", "vv_face": "NativeFrame", "vv_heard": "NativeAudio",
    "vv_engine_config": "void", "vv_stage_config": "StageConfig", "vv_session_config": "SessionConfig",
    "vv_stage_stats": "StageStats",
}  # fmt: skip
HANDLES = ("vvc_client", "vv_model", "vv_engine", "vv_stage")


def tracked() -> list[Path]:
    """Files and folders of the package that Unity imports."""
    paths = [path for path in PACKAGE.rglob("*") if not any(part.endswith("~") for part in path.parts)]
    return [path for path in paths if path.suffix != ".meta"]


def guid(meta: Path) -> str:
    found = re.fullmatch(r"fileFormatVersion: 2\nguid: ([0-9a-f]{32})\n(.*\n)*", meta.read_text("utf-8"))
    assert found, f"{meta.name}: fileFormatVersion 2 and a guid of 32 hexadecimal digits are expected"
    return found[1]


def test_everything_has_its_meta_file_and_no_guid_is_there_twice() -> None:
    paths = tracked()
    assert len(paths) > 30
    for path in paths:
        meta = Path(f"{path}.meta")
        assert meta.is_file(), f"{path} has no .meta"
        assert ("folderAsset: yes" in meta.read_text("utf-8")) == path.is_dir()
    metas = [*PACKAGE.rglob("*.meta"), *NATIVES.rglob("*.meta")]
    for meta in PACKAGE.rglob("*.meta"):
        assert meta.with_suffix("").exists(), f"{meta} is nobody's"
        assert not any(part.endswith("~") for part in meta.parts), f"{meta}: Unity does not look into folders with ~"
    assert len({guid(meta) for meta in metas}) == len(metas)


def test_natives_are_imported_for_their_platform_alone() -> None:
    files = [meta for meta in NATIVES.rglob("*.meta") if "PluginImporter" in meta.read_text("utf-8")]
    names = {meta.relative_to(NATIVES).as_posix().removesuffix(".meta") for meta in files}
    assert names == {
        "Plugins/Linux/x86_64/libvisavis.so", "Plugins/Linux/x86_64/libvisavis_client.so",
        "Plugins/Windows/x86_64/visavis.dll", "Plugins/Windows/x86_64/visavis_client.dll",
    }  # fmt: skip
    for meta in files:
        text, linux = meta.read_text("utf-8"), "Linux" in meta.parts
        assert f"OS: {'Linux' if linux else 'Windows'}\n" in text
        for name, on in (("Linux64", linux), ("Win64", not linux)):
            assert f"Standalone: {name}\n    second:\n      enabled: {int(on)}\n" in text
        assert "Any: \n    second:\n      enabled: 0\n" in text
    folders = {"Model"} | {str(Path(*Path(name).parts[:depth])) for name in names for depth in (1, 2, 3)}
    for folder in folders:
        assert "folderAsset: yes" in (NATIVES / f"{folder}.meta").read_text("utf-8")


def test_the_manifest_is_one() -> None:
    manifest = json.loads((PACKAGE / "package.json").read_text("utf-8"))
    assert manifest["name"] == PACKAGE.name and re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", manifest["name"])
    assert manifest["version"] == visavis.__version__ and manifest["license"] == "Apache-2.0"
    assert re.fullmatch(r"20\d\d\.\d", manifest["unity"]) and manifest["displayName"] and manifest["description"]
    for sample in manifest["samples"]:
        folder = PACKAGE / sample["path"]
        assert folder.parent.name == "Samples~" and list(folder.glob("*.cs")) and sample["displayName"]
    for name in ("README.md", "CHANGELOG.md", "LICENSE.md"):
        assert (PACKAGE / name).is_file()
    assert (PACKAGE / "LICENSE.md").read_text("utf-8") == (ROOT / "LICENSE").read_text("utf-8")
    assert f"[{manifest['version']}]" in (PACKAGE / "CHANGELOG.md").read_text("utf-8")


def test_the_tarball_is_what_the_package_manager_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(natives, "missing", lambda platform: "" if platform == "linux-x86_64" else "no mingw")
    monkeypatch.setattr(
        natives, "build", lambda source, platform, targets, folder: dict.fromkeys(targets, Path(__file__))
    )
    package = make_packages(tmp_path, ["unity"], ROOT, say=lambda _: None)[0]
    contents = read_archive(tmp_path / package.file)
    assert package.file == f"{PACKAGE.name}-{visavis.__version__}.tgz"
    assert json.loads(contents["package/package.json"])["name"] == PACKAGE.name
    natives_inside = {name for name in contents if name.startswith("package/Plugins") and name.endswith(".so")}
    assert {Path(name).name for name in natives_inside} == {"libvisavis.so", "libvisavis_client.so"}
    model = ROOT / "python" / "visavis" / "assets" / "default.gguf"
    assert contents["package/Model/default.bytes"] == model.read_bytes(), "what VisavisCharacter.Reset looks for"
    head = ROOT / "engine_plugins" / "head" / "visavis_head.fbx"
    assert contents["package/Samples~/Conversation/visavis_head.fbx"] == head.read_bytes()
    assert not any("Windows" in name for name in contents), "no .meta of what is not inside"
    folders = {str(parent) for name in contents for parent in Path(name).parents if str(parent) not in (".", "package")}
    imported = [name for name in [*contents, *folders] if "~" not in name and not name.endswith(".meta")]
    assert {f"{name}.meta" for name in imported} <= set(contents)


def test_assemblies_refer_to_each_other() -> None:
    definitions = {path: json.loads(path.read_text("utf-8")) for path in PACKAGE.rglob("*.asmdef")}
    names = {path.parent.name: definition["name"] for path, definition in definitions.items()}
    heads = "Visavis.Heads"
    assert names == {"Runtime": heads, "Editor": f"{heads}.Editor", "Conversation": f"{heads}.Samples"}
    for path, definition in definitions.items():
        assert path.stem == definition["name"] and set(definition["references"]) <= set(names.values())
        assert definition["includePlatforms"] == (["Editor"] if path.parent.name == "Editor" else [])
        unsafe = any("unsafe" in source.read_text("utf-8") for source in path.parent.rglob("*.cs"))
        assert definition.get("allowUnsafeCode", False) == unsafe
    for path in (PACKAGE / "Runtime").rglob("*.cs"):
        text = path.read_text("utf-8")
        assert "UnityEditor" not in text or "#if UNITY_EDITOR" in text, f"{path.name} runs in players"


def c_prototypes(header: Path) -> dict[str, tuple[str, list[str]]]:
    """Name -> result and parameters, as C# would say them."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*|^#.*?$", "", header.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    found = {}
    for result, name, parameters in re.findall(r"VVC?_API\s+([\w\s*]+?)\s*(vvc?_\w+)\(([^)]*)\);", text):
        each = [] if parameters.strip() == "void" else parameters.split(",")
        types = [c_type(re.sub(r"\w+$", "", one.strip())) for one in each]
        found[name] = (c_type(result), types)
    return found


def c_type(text: str) -> str:
    name, stars = text.replace("const", "").replace("*", "").strip(), text.count("*")
    if name in HANDLES:
        return "IntPtr" + "*" * (stars - 1)
    return NUMBERS[name] + "*" * stars if name in NUMBERS else f"? {name}"


def cs_imports(path: Path) -> dict[str, tuple[str, list[str]]]:
    found = {}
    for line in path.read_text("utf-8").splitlines():
        if "extern" not in line:
            continue
        assert "CallingConvention = C, ExactSpelling = true" in line
        match = re.search(r"extern ([\w*]+) (\w+)\((.*)\);", line)
        assert match, line
        parameters = [one.strip().rsplit(" ", 1)[0] for one in match[3].split(",") if one.strip()]
        found[match[2]] = (match[1], parameters)
    return found


@pytest.mark.parametrize(
    ("source", "header", "least"),
    [("ClientApi.cs", ("client.h",), 20), ("RuntimeApi.cs", ("visavis.h", "stage.h"), 20)],
)
def test_imports_are_those_of_the_header(source: str, header: tuple[str, ...], least: int) -> None:
    prototypes = {name: types for file in header for name, types in c_prototypes(HEADERS / file).items()}
    imports = cs_imports(PACKAGE / "Runtime" / "Interop" / source)
    assert len(imports) >= least
    for name, declared in imports.items():
        assert declared == prototypes.get(name), f"{name}: {source} says {declared}, {header} {prototypes.get(name)}"


def test_constants_are_those_of_the_header() -> None:
    header = (HEADERS / "client.h").read_text("utf-8")
    runtime = (HEADERS / "visavis.h").read_text("utf-8")
    interop = PACKAGE / "Runtime" / "Interop"
    for name, where, file, text in (
        ("VVC_ABI_VERSION", "AbiVersion", "ClientApi.cs", header),
        ("VVC_KEY_BYTES", "KeyBytes", "ClientApi.cs", header),
        ("VV_ABI_VERSION", "AbiVersion", "RuntimeApi.cs", runtime),
    ):
        source = (interop / file).read_text("utf-8")
        ours = re.search(rf"{where} = ([^;]+);", source)
        theirs = re.search(rf"#define {name} (.+?)(?: /\*.*)?$", text, re.MULTILINE)
        assert ours and theirs and ours[1].strip("()") in theirs[1]
    state = (PACKAGE / "Runtime" / "VisavisPose.cs").read_text("utf-8")
    for name in ("Speaking", "Listening", "Held", "Easing", "Neutral"):
        value = re.search(rf"VVC_{name.upper()} = (\d+)", header)
        assert value and f"{name} = {value[1]}," in state


def test_the_reference_head_suits_it() -> None:
    """Blend shapes that all have ARKit names, a head and a neck joint: what README tells to set."""
    raw = (ROOT / "engine_plugins" / "head" / "visavis_head.glb").read_bytes()
    (length,) = struct.unpack_from("<I", raw, 12)
    scene = json.loads(raw[20 : 20 + length])
    names = [name for mesh in scene["meshes"] for name in mesh.get("extras", {}).get("targetNames", [])]
    shapes = (PACKAGE / "Runtime" / "VisavisShapes.cs").read_text("utf-8")
    assert len(names) == 52 and all(f'"{name}"' in shapes for name in names)
    joints = {scene["nodes"][joint]["name"] for skin in scene["skins"] for joint in skin["joints"]}
    assert {"Head", "Neck"} <= joints
