package sim

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/board/vitals"
)

// judged is what is wrong with the board in dir after two looks.
func judged(dir string) (all []vitals.Condition) {
	var s vitals.State
	for range 2 {
		s, _ = vitals.Next(s, vitals.Read(Root(dir)), Root(dir).Identify().Hardware.Hot, time.Unix(0, 0))
	}
	for _, f := range s.Failing() {
		all = append(all, f.Condition)
	}
	return all
}

func TestEveryFaultIsSeenAndGoesAgain(t *testing.T) {
	dir := t.TempDir()
	if err := Keep(dir, Demo); err != nil {
		t.Fatal(err)
	}
	fresh := vitals.Read(Root(dir))
	if got := judged(dir); len(got) != 0 {
		t.Fatalf("a new board has %v", got)
	}
	for name, want := range map[string]vitals.Condition{
		"hot": vitals.Hot, "undervoltage": vitals.Weak, "worn": vitals.Worn, "nobattery": vitals.Empty, "halfduplex": vitals.Torn,
	} {
		if err := Strike(dir, name); err != nil {
			t.Fatal(err)
		}
		if got := judged(dir); !slices.Equal(got, []vitals.Condition{want}) || !slices.Equal(Lasting(dir), []string{name}) {
			t.Errorf("%s is seen as %v, and lasts as %v", name, got, Lasting(dir))
		}
		if err := Keep(dir, Demo); err != nil || len(judged(dir)) != 1 {
			t.Errorf("%s: who looks at the board has mended it: %v", name, err)
		}
		if err := Heal(dir, name); err != nil {
			t.Fatal(err)
		}
		if got := vitals.Read(Root(dir)); !reflect.DeepEqual(got, fresh) {
			t.Errorf("after %s: %+v", name, got)
		}
	}
}

func TestOneFaultIsHealedAndTheOtherLasts(t *testing.T) {
	dir := t.TempDir()
	if err := Make(dir, Demo); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"hot", "worn"} {
		if err := Strike(dir, name); err != nil {
			t.Fatal(err)
		}
	}
	if err := Heal(dir, "hot"); err != nil {
		t.Fatal(err)
	}
	if got := judged(dir); !slices.Equal(got, []vitals.Condition{vitals.Worn}) {
		t.Errorf("left is %v", got)
	}
	if err := Heal(dir, "all"); err != nil || len(judged(dir)) != 0 {
		t.Errorf("healed of all: %v, %v", judged(dir), err)
	}
}

func TestWhatCannotBeDoneIsSaid(t *testing.T) {
	dir := t.TempDir()
	for what, tc := range map[string]struct {
		err  error
		want string
	}{
		"a fault of no board":      {Strike(dir, "hot"), "there is no board in"},
		"a board that nobody made": {Make(dir, "abacus"), `there is no board "abacus"`},
		"a fault that there is not": {func() error {
			_ = Make(dir, Demo)
			return Strike(dir, "flood")
		}(), `no such fault: "flood"; there are [hot undervoltage`},
		"healed of nothing":     {Heal(dir, "flood"), "no such fault"},
		"healed of what is not": {Heal(dir, "hot"), "has no hot now"},
	} {
		if tc.err == nil || !strings.Contains(tc.err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", what, tc.err, tc.want)
		}
	}
}
