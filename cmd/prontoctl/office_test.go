package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/config"
)

func TestTheDemoConfigurationHasNoMistakes(t *testing.T) {
	c, err := config.Parse(demo)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Lamps) != 8 || len(c.Queues) != 2 || len(c.Trunks) != 1 || len(c.Lines) != 2 {
		t.Errorf("%d lamps, %d queues, %d trunks, %d lines", len(c.Lamps), len(c.Queues), len(c.Trunks), len(c.Lines))
	}
	args := strings.Join(labArgs("var", c), " ")
	for _, p := range c.Phones {
		if yours := p.Name == yours; yours == strings.Contains(args, string(p.ID)+":") {
			t.Errorf("phone %s is the visitor's: %v; linelab is told %s", p.ID, yours, args)
		}
	}
	if !strings.HasSuffix(args, " -supervisors 209:demo-office-209 -carrier 127.0.0.2:5070") {
		t.Errorf("linelab is told %s", args)
	}
}

// What keeps the office from starting is said in one sentence, and the exit code is not zero.
func TestWhatKeepsTheOfficeFromStartingIsSaidInOneSentence(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := write("a-file", "")
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a port in use":               {[]string{"-var", dir, "-config", write("busy.yaml", "web: {listen: '"+busy.Addr().String()+"'}\nsip: {listen: '127.0.0.1:5999'}\n")}, "the page's port " + busy.Addr().String() + " is used by another program"},
		"no configuration":            {[]string{"-var", dir, "-config", filepath.Join(dir, "none.yaml")}, "the configuration cannot be read"},
		"a mistake in it":             {[]string{"-var", dir, "-config", write("bad.yaml", "box: {language: fr}\n")}, "box.language"},
		"no place for the state":      {[]string{"-var", filepath.Join(file, "x")}, "the directory of the state cannot be made"},
		"programs that are not there": {[]string{"-var", dir, "-bin", dir, "-config", write("ok.yaml", "web: {listen: '127.0.0.1:0'}\nsip: {listen: '127.0.0.1:0'}\n")}, "is missing; `make run` builds it"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs strings.Builder
			if code := run(append([]string{"office", "-quiet"}, c.args...), &out, &errs); code != 1 {
				t.Errorf("exit code %d", code)
			}
			if got := errs.String(); !strings.Contains(got, c.want) || strings.Count(got, "\n") > 2 {
				t.Errorf("said %q, want %q", got, c.want)
			}
		})
	}
}

func TestTheTerminalShowsWhatIsMeantForAPerson(t *testing.T) {
	var out strings.Builder
	for _, line := range []string{
		"prontod: time=2026-03-02T09:00:00Z level=INFO msg=call stage=waiting\n",
		"linelab: 09:00:01 customer +390612 calls through the carrier\n",
		"prontod: time=2026-03-02T09:00:02Z level=WARN msg=\"modem out of service\"\n",
		"prontod: prontod: the configuration cannot be read\n",
		"recordd: time=2026-03-02T09:00:03Z level=ERROR msg=full\n",
	} {
		if n, err := (important{&out}).Write([]byte(line)); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
	}
	got := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(got) != 4 || strings.Contains(out.String(), "level=INFO") {
		t.Errorf("%q", got)
	}
}
