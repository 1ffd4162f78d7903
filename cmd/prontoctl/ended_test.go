package main

import (
	"io"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/oomkill"
)

func TestAUnitThatEndedForItsMemoryIsNotedForThePage(t *testing.T) {
	dir := t.TempDir()
	for _, result := range []string{"success", "signal", "oom-kill", "oom-kill"} {
		t.Setenv("SERVICE_RESULT", result)
		if code := run([]string{"ended", "-dir", dir, "recordd"}, io.Discard, io.Discard); code != 0 {
			t.Errorf("%s: %d", result, code)
		}
	}
	if all, err := oomkill.Load(dir); err != nil || len(all) != 1 || all[0].Program != oomkill.Records || all[0].Times != 2 {
		t.Errorf("%+v, %v", all, err)
	}
	for _, args := range [][]string{{"ended"}, {"ended", "-dir", dir, "nobody"}, {"ended", "-dir", dir, "prontod", "more"}} {
		if code := run(args, io.Discard, io.Discard); code == 0 {
			t.Errorf("%q is taken", args)
		}
	}
}
