package main

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/board/gate"
	"github.com/pronto-pbx/pronto/firmware/appliance/supervise"
)

// Each step is a look, four seconds after the one before.
func TestAProgramThatTheKernelEndedForItsMemoryIsToldAndOneThatEndedOtherwiseIsNot(t *testing.T) {
	type look struct {
		counted  uint64
		restarts int
		state    supervise.State
		exit     string
	}
	const killed, failed = "signal: killed", "exit status 1"
	run := supervise.Running
	noon := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	at := func(n int) time.Time { return noon.Add(time.Duration(n) * 4 * time.Second) }
	for _, tc := range []struct {
		name  string
		looks []look
		want  []gate.Kill
	}{
		{"it runs", []look{{0, 0, run, ""}, {0, 0, run, ""}}, nil},
		{"it is ended", []look{{0, 0, run, ""}, {1, 1, run, killed}, {0, 1, run, killed}}, []gate.Kill{{Program: recorder, Times: 1, Last: at(2)}}},
		{"it is ended, and the supervisor sees it after the look", []look{{0, 0, run, ""}, {1, 0, run, ""}, {0, 1, run, killed}}, []gate.Kill{{Program: recorder, Times: 1, Last: at(2)}}},
		{"again and again", []look{{0, 0, run, ""}, {2, 2, run, killed}, {1, 3, run, killed}, {0, 3, supervise.Waiting, killed}}, []gate.Kill{{Program: recorder, Times: 3, Last: at(3)}}},
		{"it waits for its next start", []look{{0, 4, run, killed}, {1, 4, supervise.Waiting, killed}, {0, 4, supervise.Waiting, killed}}, []gate.Kill{{Program: recorder, Times: 1, Last: at(2)}}},
		{"one that it had started is ended", []look{{0, 0, run, ""}, {1, 0, run, ""}, {0, 0, run, ""}}, []gate.Kill{{Program: recorder, Times: 1, Last: at(2), Helper: true}}},
		{"one that it had started is ended, long after itself", []look{{0, 3, run, killed}, {1, 3, run, killed}, {0, 3, run, killed}}, []gate.Kill{{Program: recorder, Times: 1, Last: at(2), Helper: true}}},
		{"somebody kills it", []look{{0, 0, run, ""}, {0, 1, run, killed}, {0, 1, run, killed}}, nil},
		{"it ends by a fault", []look{{0, 0, run, ""}, {0, 1, run, failed}, {0, 1, run, failed}}, nil},
		{"it ends by a fault when one that it had started is ended", []look{{0, 0, run, ""}, {1, 1, run, failed}, {0, 1, run, failed}}, []gate.Kill{{Program: recorder, Times: 1, Last: at(2), Helper: true}}},
	} {
		var k kills
		for n, l := range tc.looks {
			k.look(recorder, l.counted, supervise.ServiceStatus{Restarts: l.restarts, State: l.state, LastExit: l.exit}, at(n))
			k.look(exchange, 0, supervise.ServiceStatus{State: run}, at(n))
		}
		got := k.all()
		if len(got) != len(tc.want) {
			t.Errorf("%s: %+v", tc.name, got)
			continue
		}
		for i := range got {
			if got[i] != tc.want[i] {
				t.Errorf("%s: %+v, want %+v", tc.name, got[i], tc.want[i])
			}
		}
	}
}
