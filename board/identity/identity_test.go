package identity

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestABoxIsNamedAfterTheEndOfItsID(t *testing.T) {
	if got := Name("7H3K9QXA"); got != "pronto-9qxa" {
		t.Errorf("%q", got)
	}
	for id, ok := range map[string]bool{"7H3K9QXA": true, "7h3k9qxa": false, "7H3K9QX": false, "7H3K9QXAB": false, "7H3K9QXU": false, "../../etc": false, "": false} {
		if ValidID(id) != ok {
			t.Errorf("ValidID(%q) is %v", id, !ok)
		}
	}
	for range 1000 {
		if id := NewID(); !ValidID(id) {
			t.Fatalf("drew %q", id)
		}
	}
}

func TestABoxKeepsItsIdentity(t *testing.T) {
	at := filepath.Join(t.TempDir(), File)
	first, made, err := Load(at)
	if err != nil || !made {
		t.Fatalf("%v, %v", made, err)
	}
	again, made, err := Load(at)
	if err != nil || made || again != first {
		t.Errorf("%+v, %v, %v; want %+v", again, made, err, first)
	}
	if err := os.WriteFile(at, []byte("half a fi"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, made, err := Load(at); err != nil || !made {
		t.Errorf("after damage: %v, %v", made, err)
	}
	if err := Save(at, Identity{ID: "../../../evil"}); err != nil {
		t.Fatal(err)
	}
	if got, made, err := Load(at); err != nil || !made || !ValidID(got.ID) {
		t.Errorf("an id that is none: %+v, %v, %v", got, made, err)
	}
}

func TestAnIdentityIsReadOutOfMemoryToo(t *testing.T) {
	at := filepath.Join(t.TempDir(), File)
	for id, good := range map[string]bool{"7H3K9QXA": true, "../evil": false} {
		if err := Save(at, Identity{ID: id}); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(at)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Decode(text); (err == nil) != good || good && got.ID != id {
			t.Errorf("%q: %+v, %v", id, got, err)
		}
	}
	if _, err := Decode([]byte("half a fi")); err == nil {
		t.Error("half a file is an identity")
	}
}

func TestWithoutADiskTheIdentityIsGoodForThisRun(t *testing.T) {
	got, made, err := Load(filepath.Join(t.TempDir(), "no", "such", File))
	if err == nil || !made || !ValidID(got.ID) {
		t.Errorf("%+v, %v, %v", got, made, err)
	}
}
