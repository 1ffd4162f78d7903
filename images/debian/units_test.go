package debian

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/oomkill"
)

// Whoever has a bound may meet it, and the page has to hear of it: by the name under which the notes know the program,
// in the directory in which the exchange reads them.
func TestEachUnitWithABoundOfMemoryNotesThatItWasMet(t *testing.T) {
	form := regexp.MustCompile(`(?m)^ExecStopPost=(?:-|\+-/usr/sbin/runuser -u pronto -- )/usr/lib/pronto/prontoctl ended -dir /run/pronto (\w+)$`)
	bounded := 0
	units, err := filepath.Glob("files/*.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "\nMemoryMax=") {
			continue
		}
		bounded++
		m := form.FindStringSubmatch(string(text))
		if m == nil || !strings.Contains(string(text), "\nExecStart=/usr/lib/pronto/"+m[1]+" ") || !strings.Contains(string(text), "/run/pronto") {
			t.Errorf("%s: %q", unit, m)
			continue
		}
		if m[1] != oomkill.Exchange && m[1] != oomkill.Records && m[1] != oomkill.Updates {
			t.Errorf("%s: the notes know no %s", unit, m[1])
		}
	}
	if bounded != 3 {
		t.Errorf("%d units have a bound", bounded)
	}
}
