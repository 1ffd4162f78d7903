package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Somebody writes a mistake into the file, and the box starts again: it carries calls as before, and the page
// shows the line.
func TestABoxWithABrokenFileCarriesCallsAndShowsTheLine(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2, LoggedIn: 1})
	anna, bruno := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCaller)
	o.Lamp(201, tel.AgentReady)
	file := filepath.Join(o.Dir, "pronto.yaml")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append([]byte("qeues: []\n"), good...), 0o600); err != nil {
		t.Fatal(err)
	}
	o.Kill()
	if said := o.Alarm("config_file", true); !strings.Contains(said, "line 1: field qeues") {
		t.Errorf("the page shows %q", said)
	}
	o.Phone(201)
	c := bruno.dial("400")
	at := anna.picksUp()
	talking(t, "with a broken file", c, hzCaller, at, hzAgent)
	over(t, c, at)
	if said, err := console(o, "reload"); err == nil || !strings.Contains(said, "qeues") {
		t.Errorf("reading it again: %q, %v", said, err)
	}
	if err := os.WriteFile(file, good, 0o600); err != nil {
		t.Fatal(err)
	}
	ctl(t, o, "reload")
	o.Alarm("config_file", false)
}
