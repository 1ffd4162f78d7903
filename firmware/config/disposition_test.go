package config

import (
	"errors"
	"slices"
	"testing"
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
