package config

import (
	"errors"
	"slices"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestEveryMistakeOfDispositionsIsFound(t *testing.T) {
	_, err := Parse([]byte(`
agents: [{id: anna, extension: "201"}]
queues: [{id: sales, number: "400", agents: [anna]}]
dispositions: [{code: "0", name: x}, {code: "1", name: ""}, {code: "1", name: x}, {code: "2", name: y, queues: [none]}]
`))
	found, ok := errors.AsType[Problems](err)
	if !ok {
		t.Fatalf("want Problems, got %T %v", err, err)
	}
	var got []string
	for _, p := range found {
		got = append(got, p.Path+" "+p.Code)
	}
	slices.Sort(got)
	want := []string{"dispositions[0].code number", "dispositions[1].name missing", "dispositions[2].code duplicate", "dispositions[2].name duplicate", "dispositions[3].queues[0] unknown"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestDispositionsAreThoseOfTheQueue(t *testing.T) {
	c, err := Parse([]byte(`
agents: [{id: anna, extension: "201"}]
queues: [{id: sales, number: "400", agents: [anna]}, {id: help, number: "401", agents: [anna]}]
dispositions: [{code: "1", name: Venduto, queues: [sales]}, {code: "2", name: Richiamare}]
`))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.DispositionsOf("sales"); !slices.Equal(got, []string{"Venduto", "Richiamare"}) {
		t.Errorf("of sales: %q", got)
	}
	if got := c.DispositionsOf("help"); !slices.Equal(got, []string{"Richiamare"}) {
		t.Errorf("of help: %q", got)
	}
}

// The page shows what changes of a disposition under the code that people dial, and one of them is taken back alone.
func TestADispositionIsKnownByItsCode(t *testing.T) {
	old := parsed(t, `
agents: [{id: anna, extension: "201"}]
queues: [{id: sales, number: "400", agents: [anna]}]
dispositions: [{code: "1", name: Venduto}, {code: "2", name: Richiamare}, {code: "30", name: Reclamo}]
`)
	now := old.Clone()
	d := now.Dispositions
	now.Dispositions = []Disposition{d[2], {Code: "1", Name: "Ordine", Queues: []tel.QueueID{"sales"}}, {Code: "4", Name: "Errore"}}
	var got []string
	for _, c := range Diff(old, now) {
		got = append(got, c.Path+" "+string(c.Kind)+" "+c.Old+" -> "+c.New)
	}
	want := []string{
		"dispositions[1].name changed Venduto -> Ordine", "dispositions[1].queues changed [] -> [sales]",
		"dispositions[2] removed {code: 2, name: Richiamare} -> ", "dispositions[4] added  -> {code: 4, name: Errore}",
		"dispositions moved [1, 30] -> [30, 1]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for _, thing := range []string{Thing("dispositions[1].name"), Thing("dispositions[2]"), Thing("dispositions[4]")} {
		if err := now.TakeBack(&old, thing); err != nil {
			t.Errorf("%s: %v", thing, err)
		}
	}
	if left := Diff(old, now); len(left) != 1 || left[0].Kind != Moved {
		t.Errorf("what differs after all was taken back: %v", left)
	}
}

func TestWhatIsDialledBeforeADispositionIsTheOfficesOwn(t *testing.T) {
	for own, want := range map[string]tel.Number{"": "*49", "*55": "*55", "off": ""} {
		c := parsed(t, "")
		if own != "" {
			c.Dialling.Codes = map[string]tel.Number{"dispose": tel.Number(own)}
		}
		if got := c.DispositionCode(); got != want {
			t.Errorf("%q: %q, want %q", own, got, want)
		}
	}
}
