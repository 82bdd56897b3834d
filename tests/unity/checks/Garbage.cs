// What a frame and a block of sound leave for the collector.
using System;
using System.Threading;
using UnityEngine;
using Visavis;

internal static class Garbage
{
    internal static void All(string endpoint, string head, int frames)
    {
        var character = new Character();
        VisavisSource source = character.From(endpoint, head);
        character.Speaks();
        character.Wake();
        var microphone = new GameObject("Player").AddComponent<VisavisMicrophone>();
        microphone.Listeners = new VisavisSource[] { source };
        Measure(source, frames, head != "nobody");
    }

    /// <summary>Bytes taken on this thread while a game runs: faces, sound, microphone, speech in small bursts.</summary>
    internal static void Measure(VisavisSource source, int frames, bool speaks)
    {
        var block = new float[960];
        var heard = new float[800];
        var speech = new float[400];
        var face = new float[VisavisShapes.Count + 3];
        for (int i = 0; i < speech.Length; ++i) speech[i] = heard[i] = 0.3f;
        int moved = 0;
        long before = 0, collections = 0;
        const int warm = 150; // frames: the log's first lines, the first turns
        for (int i = 0; i < warm + frames; ++i)
        {
            if (i == warm)
            {
                collections = GC.CollectionCount(0);
                before = GC.GetAllocatedBytesForCurrentThread();
            }
            if (i % 3 == 0) Thread.Sleep(16);
            Microphone.Hear(heard);
            // Where nobody hears it, speech would pile up.
            if (speaks) source.PushAgentAudio(speech, speech.Length, 24000);
            source.PushUserFace(face);
            Player.Frame(0.005f);
            Player.Mix(block, 2);
            if (block[0] > 0.05f) ++moved;
        }
        long bytes = GC.GetAllocatedBytesForCurrentThread() - before;
        collections = GC.CollectionCount(0) - collections;
        before = GC.GetAllocatedBytesForCurrentThread();
        GC.KeepAlive(new byte[100]);
        long hundred = GC.GetAllocatedBytesForCurrentThread() - before;
        new Json().Add("bytes", bytes).Add("collections", collections).Add("hundred", hundred).Add("moved", moved)
            .Add("log", UnityEngine.Debug.Lines).Print();
    }
}
