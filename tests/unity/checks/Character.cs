// A character of the stand-in engine: two meshes that spell shapes differently, neck and head bones with odd axes.
using System.Collections.Generic;
using UnityEngine;
using Visavis;

internal sealed class Character
{
    internal static readonly string[] Spellings = { "jawOpen", "JawOpen", "eyeBlink_L", "blendShape1.jawOpen", "EyeBlinkR", "unrelated" };
    internal static readonly Quaternion BoneRest = Quaternion.Euler(-90f, 35f, 12f);

    internal readonly GameObject Root = new GameObject("Guard");
    internal readonly SkinnedMeshRenderer Face, Teeth;
    internal readonly Transform Neck, Head;
    internal readonly VisavisHead Shown;
    internal VisavisVoice Voice;
    static TextAsset _model;
    static string _modelPath;

    /// <summary>`bare`: without a VisavisHead.</summary>
    internal Character(bool bare = false)
    {
        Root.SetActive(false);
        Root.transform.localRotation = Quaternion.Euler(0f, 120f, 0f); // faces somewhere
        Neck = Child(Root.transform, "Neck").transform;
        Head = Child(Neck, "mixamorig:Head").transform;
        Neck.localRotation = Quaternion.Euler(10f, 0f, 80f);
        Head.localRotation = BoneRest;
        Face = Renderer("Face", 100f, Spellings);
        Teeth = Renderer("Teeth", 1f, new[] { "Jaw_Open" });
        Shown = bare ? null : Root.AddComponent<VisavisHead>();
    }

    /// <summary>A source: "asset:PATH" or "file:PATH" of a model, else the endpoint of a server.</summary>
    internal VisavisSource From(string where, string head)
    {
        if (where.StartsWith("asset:")) return Compute(where.Substring(6));
        if (where.StartsWith("file:")) return Compute(where.Substring(5), asFile: true);
        return Follow(where, head);
    }

    internal VisavisStream Follow(string endpoint, string head)
    {
        var stream = Root.AddComponent<VisavisStream>();
        stream.Endpoint = endpoint;
        stream.Head = head;
        return stream;
    }

    /// <summary>The model's file is read as Unity would hand it over: as an asset's bytes, or by its path.</summary>
    internal VisavisCharacter Compute(string model, bool asFile = false)
    {
        var character = Root.AddComponent<VisavisCharacter>();
        if (asFile) character.ModelFile = model;
        else character.Model = ModelOf(model);
        character.Seed = 7;
        return character;
    }

    internal static TextAsset ModelOf(string path)
    {
        if (path != _modelPath) _model = new TextAsset(System.IO.File.ReadAllBytes(path));
        _modelPath = path;
        return _model;
    }

    internal void Speaks()
    {
        GameObject mouth = Child(Root.transform, "Mouth");
        mouth.AddComponent<AudioSource>();
        Voice = mouth.AddComponent<VisavisVoice>();
    }

    internal void Wake() { Root.SetActive(true); }

    static GameObject Child(Transform parent, string name)
    {
        var child = new GameObject(name);
        child.transform.SetParent(parent);
        return child;
    }

    SkinnedMeshRenderer Renderer(string name, float full, IEnumerable<string> shapes)
    {
        var renderer = Child(Root.transform, name).AddComponent<SkinnedMeshRenderer>();
        var mesh = new Mesh { name = name, Full = full };
        mesh.Names.AddRange(shapes);
        renderer.sharedMesh = mesh;
        return renderer;
    }

    /// <summary>How the head bone is turned against rest, in the character's axes.</summary>
    internal Quaternion HeadTurn(Quaternion restInRoot)
    {
        return Quaternion.Inverse(Root.transform.rotation) * Head.rotation * Quaternion.Inverse(restInRoot);
    }

    internal Quaternion HeadInRoot() { return Quaternion.Inverse(Root.transform.rotation) * Head.rotation; }
}
