// Who may see what is internal: the inspectors, and the programs of the project's own tests.
using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Visavis.Heads.Editor")]
[assembly: InternalsVisibleTo("Visavis.Heads.Checks")]
