// What a check found, as one line of JSON.
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using UnityEngine;

internal sealed class Json
{
    readonly StringBuilder _text = new StringBuilder("{");

    internal Json Add(string name, double value) { return Raw(name, Number(value)); }
    internal Json Add(string name, bool value) { return Raw(name, value ? "true" : "false"); }
    internal Json Add(string name, string value) { return Raw(name, Quoted(value)); }

    internal Json Add(string name, IEnumerable<string> values)
    {
        var all = new List<string>();
        foreach (string value in values) all.Add(Quoted(value));
        return Raw(name, "[" + string.Join(",", all.ToArray()) + "]");
    }

    internal Json Add(string name, IEnumerable<double[]> rows)
    {
        var all = new List<string>();
        foreach (double[] row in rows)
        {
            var numbers = new string[row.Length];
            for (int i = 0; i < row.Length; ++i) numbers[i] = Number(row[i]);
            all.Add("[" + string.Join(",", numbers) + "]");
        }
        return Raw(name, "[" + string.Join(",", all.ToArray()) + "]");
    }

    internal void Print() { System.Console.WriteLine(_text + "}"); }

    internal static double[] Row(Quaternion q) { return new double[] { q.x, q.y, q.z, q.w }; }

    Json Raw(string name, string value)
    {
        if (_text.Length > 1) _text.Append(",");
        _text.Append(Quoted(name)).Append(":").Append(value);
        return this;
    }

    static string Number(double value) { return value.ToString("R", CultureInfo.InvariantCulture); }

    static string Quoted(string value)
    {
        return "\"" + value.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n") + "\"";
    }
}
