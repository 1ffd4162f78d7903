package erasure

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const rossi = tel.Number("+390612345678")

var (
	asked = time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)
	ended = asked.Add(time.Minute)
)

// of is the erasure of a number that has ended.
func of(t testing.TB, n tel.Number) Entry {
	t.Helper()
	e, err := New(n, "anna", "192.168.1.7", "letter of 1 November", asked)
	if err != nil {
		t.Fatal(err)
	}
	e.Until = ended
	return e
}

func TestANumberIsKnownInEverySpellingAndNoOtherIs(t *testing.T) {
	e := of(t, rossi)
	m := List{of(t, "+14155550100"), e}.Match()
	for text, want := range map[tel.Number]bool{
		rossi: true, "0612345678": true, "00390612345678": true, "390612345678": true,
		"+390612345679": false, "612345678": false, "": false, "201": false, "112": false, "+39": false, "+393331234567": false, "0039": false,
	} {
		alias, ok := m.Number(text, asked)
		if ok != want || ok && alias != e.Alias {
			t.Errorf("%q: %v %q, want %v", text, ok, alias, want)
		}
	}
	if m.Has(rossi, ended.Add(time.Second)) {
		t.Error("who calls anew after the erasure is erased")
	}
	if !m.Has(rossi, time.Time{}) || !m.Has(rossi, ended) {
		t.Error("what is of before the end of the erasure, or of nobody knows when, is not erased")
	}
	running := e
	running.Until = time.Time{}
	if !(List{running}).Match().Has(rossi, ended.AddDate(1, 0, 0)) {
		t.Error("an erasure that has not ended lets something through")
	}
}

func TestWhoWasErasedTwiceIsErasedUntilTheLaterTime(t *testing.T) {
	first, second := of(t, rossi), of(t, rossi)
	second.Until = ended.AddDate(0, 1, 0)
	m := List{first, second}.Match()
	if a, _ := m.Number(rossi, asked); a != first.Alias {
		t.Errorf("before both: %q", a)
	}
	if a, ok := m.Number(rossi, ended.AddDate(0, 0, 7)); !ok || a != second.Alias {
		t.Errorf("between them: %q %v", a, ok)
	}
	if m.Has(rossi, second.Until.Add(1)) {
		t.Error("after both")
	}
	if bytes.Equal(first.Hash, second.Hash) {
		t.Error("two erasures of one person can be told to be that")
	}
}

func TestOnlyNumbersOfOutsideCanBeErased(t *testing.T) {
	for _, n := range []tel.Number{"", "201", "112", "*21", "#*0000000001", "+39"} {
		if _, err := New(n, "anna", "", "", asked); !errors.Is(err, ErrNumber) {
			t.Errorf("%q: %v", n, err)
		}
	}
	if e := of(t, "0612345678"); !e.is(rossi) || !e.Alias.Erased() || !e.whole() {
		t.Errorf("%+v", e)
	}
}

func TestARecordLosesThePersonAndNothingElse(t *testing.T) {
	e := of(t, rossi)
	e.Alias = "#*0000000042"
	m := List{e}.Match()
	for _, tc := range []struct{ name, in, want string }{
		{"a wait", `{"v":1,"event":{"queue":"sales","caller":"+390612345678","joined":"2026-10-01T09:00:00.612345678Z"}}`, `{"v":1,"event":{"queue":"sales","caller":"#*0000000042","joined":"2026-10-01T09:00:00.612345678Z"}}`},
		{"who is called by name", `{"number":"0612345678","name":"Mario \"il\" Rossi","queue":"q"}`, `{"number":"#*0000000042","name":"—","queue":"q"}`},
		{"the name before the number", `{ "Name" : "Rossi" , "Caller" : "+390612345678" , "N" : 12 }`, `{ "Name" : "—" , "Caller" : "#*0000000042" , "N" : 12 }`},
		{"somebody else's name", `[{"name":"Bianchi","number":"+393331234567"},{"number":"+390612345678"}]`, `[{"name":"Bianchi","number":"+393331234567"},{"number":"#*0000000042"}]`},
		{"a name around an object about him", `{"name":"Anna","callback":{"number":"+390612345678","name":"Rossi"}}`, `{"name":"Anna","callback":{"number":"#*0000000042","name":"—"}}`},
		{"a message", `{"id":"s1","from":"+390612345678","text":"sono io","raw":["0791","00"],"at":"2026-10-01T09:00:00Z"}`, `{"id":"s1","from":"#*0000000042","text":"","raw":[],"at":"2026-10-01T09:00:00Z"}`},
		{"a message that names him", `{"from":"+393331234567","text":"chiama lo 0612345678"}`, `{"from":"+393331234567","text":""}`},
		{"no name", `{"caller":"+390612345678","name":""}`, `{"caller":"#*0000000042","name":""}`},
		{"an address", `{"why":"sip:0612345678@carrier.example refused"}`, `{"why":"sip:#*0000000042@carrier.example refused"}`},
		{"a key of an object", `{"rows":{"+390612345678":{"calls":2}}}`, `{"rows":{"#*0000000042":{"calls":2}}}`},
		{"an amount that looks like it", `{"bytes":390612345678}`, `{"bytes":390612345678}`},
		{"no JSON", `call of +390612345678, lost`, `call of #*0000000042, lost`},
		{"nothing of him", `{"name":"Bianchi","caller":"+393331234567"}`, `{"name":"Bianchi","caller":"+393331234567"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := []byte(tc.in)
			got, changed := m.JSON(in, asked)
			if string(got) != tc.want || changed != (tc.in != tc.want) || string(in) != tc.in {
				t.Errorf("%v %s\nwant %s", changed, got, tc.want)
			}
			if again, changed := m.JSON(got, asked); changed && string(again) != string(got) {
				t.Errorf("a second time: %s", again)
			}
		})
	}
}

// FuzzJSON: whatever is read, what was JSON is JSON with the same shape, the number is gone, and nothing else is.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,-2.5e3,true,null,"+390612345678"],"name":"x","b":{}}`, `[]`, `"+390612345678"`, `{"name":["0612345678"],"text":{"raw":"0612345678"}}`,
		`{"name":"\"","number":"00390612345678"}`, `0612345678`, "{\"a\":\"\\u002b390612345678\"}", ` { "a" : [ ] , "b" : { } } `, "\x00+390612345678\xff",
	} {
		f.Add([]byte(s))
	}
	e := of(f, rossi)
	f.Fuzz(func(t *testing.T, in []byte) {
		m := List{e}.Match()
		got, changed := m.JSON(in, asked)
		if changed != m.In(in, asked) && !json.Valid(in) {
			t.Fatalf("%q: changed %v", in, changed)
		}
		if !changed && !bytes.Equal(in, got) {
			t.Fatalf("%q became %q and is not said to be changed", in, got)
		}
		if json.Valid(in) && !json.Valid(got) {
			t.Fatalf("%q became %q", in, got)
		}
		if shape(t, in) != shape(t, got) {
			t.Fatalf("%q has another shape than %q", got, in)
		}
	})
}

// shape is what of JSON an erasure leaves alone: structure, numbers, and how many members objects have.
func shape(t *testing.T, b []byte) string {
	var out strings.Builder
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if !json.Valid(b) {
		return ""
	}
	raw := 0 // a list of octets of a message may go
	for {
		tok, err := d.Token()
		if err != nil {
			return out.String()
		}
		switch x := tok.(type) {
		case json.Delim:
			if x == '[' {
				raw++
			}
			if raw == 0 {
				fmt.Fprint(&out, x)
			}
			if x == ']' {
				raw--
			}
		case string:
		default:
			if raw == 0 {
				fmt.Fprint(&out, x, " ")
			}
		}
	}
}

func TestTheRegisterOutlivesItsProcessAndOnlyWhatIsOnTheDiskIsInForce(t *testing.T) {
	dir := t.TempDir()
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(rossi, "anna", "192.168.1.7", "letter", asked)
	if err != nil {
		t.Fatal(err)
	}
	do := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(what, err)
		}
	}
	do("add", r.Add(e))
	do("recordings", r.Recorded(e.ID, []string{"b", "a", "b"}))
	again, err := Open(dir)
	do("open", err)
	if l := again.All(); len(l) != 1 || len(l.Open()) != 1 || !slices.Equal(l[0].Recordings, []string{"a", "b"}) || !l[0].Until.IsZero() {
		t.Fatalf("%+v", l)
	}
	do("done", again.Done(e.ID, Count{Texts: 2, Held: 1}, ended))
	do("done again", again.Done(e.ID, Count{Texts: 1}, ended.AddDate(1, 0, 0)))
	if l := again.All(); len(l.Open()) != 0 || !l[0].Until.Equal(ended) || l[0].Erased != (Count{Texts: 3}) {
		t.Fatalf("%+v", l)
	}
	if err := again.Done("nobody", Count{}, ended); !errors.Is(err, ErrUnknown) {
		t.Errorf("an unknown one: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(dir, File))
	do("read", err)
	if bytes.Contains(text, []byte("612345678")) {
		t.Error("the register names who was erased")
	}
	do("take the disk away", os.RemoveAll(dir))
	if err := again.Add(of(t, "+393331234567")); err == nil || len(again.All()) != 1 {
		t.Errorf("a disk that refuses: %v, %d in force", err, len(again.All()))
	}
}

// What two boxes know of erasures comes together the same in whatever order, and however often, it is joined.
func TestErasuresComeTogetherWhateverTheOrder(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		var all List
		for i := range 1 + rnd.IntN(6) {
			e := of(t, rossi)
			e.At = asked.Add(time.Duration(rnd.IntN(3)) * time.Minute)
			e.Recordings = []string{fmt.Sprint("r", i)}
			all = append(all, e)
		}
		part := func() (l List) {
			for _, e := range all {
				if rnd.IntN(3) > 0 {
					e.Recordings = append(slices.Clone(e.Recordings), fmt.Sprint("more", rnd.IntN(3)))
					slices.Sort(e.Recordings)
					l = append(l, e)
				}
			}
			l.sort()
			return l
		}
		a, b := part(), part()
		one, other := a.Merge(b), b.Merge(a)
		if fmt.Sprint(one) != fmt.Sprint(other) || fmt.Sprint(one.Merge(b)) != fmt.Sprint(one) || fmt.Sprint(one.Merge(one)) != fmt.Sprint(one) {
			t.Fatalf("seed %d: %v\n%v", seed, one, other)
		}
		for _, e := range slices.Concat(a, b) {
			i := slices.IndexFunc(one, func(x Entry) bool { return x.ID == e.ID })
			if i < 0 || !one[i].Open || !one[i].is(rossi) {
				t.Fatalf("seed %d: erasure %s is lost", seed, e.ID)
			}
			for _, r := range e.Recordings {
				if !slices.Contains(one[i].Recordings, r) {
					t.Fatalf("seed %d: recording %s is lost", seed, r)
				}
			}
		}
	}
}

func TestABackupsListJoinsThatOfTheBoxAndADamagedOneChangesNothing(t *testing.T) {
	box, backup := t.TempDir(), t.TempDir()
	ours, theirs := of(t, rossi), of(t, "+393331234567")
	ours.Open, theirs.Open = false, false
	for dir, e := range map[string]Entry{box: ours, backup: theirs} {
		if err := save(dir, List{e}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := Join(box, filepath.Join(backup, File)); err != nil {
			t.Fatal(err)
		}
		if l, err := Read(box); err != nil || len(l) != 2 || len(l.Open()) != 2 {
			t.Fatalf("%+v %v", l, err)
		}
	}
	if err := os.WriteFile(filepath.Join(backup, File), []byte(`{"v":1`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Join(box, filepath.Join(backup, File)); err == nil {
		t.Error("a damaged list is taken")
	}
	if l, _ := Read(box); len(l) != 2 {
		t.Errorf("%d left", len(l))
	}
	if err := Join(t.TempDir(), filepath.Join(backup, "none")); err != nil {
		t.Errorf("nothing and nothing: %v", err)
	}
}

// FuzzRead: whatever the file holds, only whole entries are taken, and what is taken can be used.
func FuzzRead(f *testing.F) {
	e := of(f, rossi)
	b, _ := json.Marshal(List{e})
	f.Add(b)
	f.Add([]byte(`[{"id":"x","key":"AA==","hash":"AA==","alias":"#*1"}]`))
	f.Add([]byte(`[{}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if !json.Valid(body) {
			return
		}
		dir := t.TempDir()
		var l List
		if json.Unmarshal(body, &l) != nil {
			return
		}
		if err := save(dir, l); err != nil {
			t.Fatal(err)
		}
		got, err := Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range got {
			if !e.whole() {
				t.Fatalf("%+v", e)
			}
		}
		got.Match().JSON([]byte(`{"caller":"+390612345678"}`), asked)
	})
}
