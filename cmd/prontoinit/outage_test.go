package main

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/appliance/supervise"
)

func TestThePageOfAnOutageIsServedOnlyWhileTheExchangeDoesNotNeedThePorts(t *testing.T) {
	t0 := time.Unix(1000, 0)
	for _, tc := range []struct {
		name  string
		was   outages
		st    supervise.ServiceStatus
		given time.Time
		tries int
		serve bool
	}{
		{"not while it starts", outages{}, supervise.ServiceStatus{State: supervise.Starting, Restarts: 9}, t0, 10, false},
		{"not while it runs", outages{}, supervise.ServiceStatus{State: supervise.Running, Restarts: 9}, t0, 1, false},
		{"not between its first tries", outages{}, supervise.ServiceStatus{State: supervise.Waiting, Restarts: 2, Since: t0.Add(1)}, t0, 3, false},
		{"while it waits for another try", outages{}, supervise.ServiceStatus{State: supervise.Waiting, Restarts: 3, Since: t0.Add(1)}, t0, 4, true},
		{"not when that try begins", outages{}, supervise.ServiceStatus{State: supervise.Waiting, Restarts: 3, Since: t0}, t0.Add(1), 4, false},
		{"not after one crash of one that ran", outages{restarts: 7}, supervise.ServiceStatus{State: supervise.Waiting, Restarts: 7, Since: t0.Add(1)}, t0, 1, false},
		{"when it asked not to be started again", outages{}, supervise.ServiceStatus{State: supervise.Finished, Since: t0}, t0.Add(1), 1, true},
		{"not when the box ends", outages{}, supervise.ServiceStatus{State: supervise.Stopped, Restarts: 9}, t0, 10, false},
	} {
		next, tries, serve := tc.was.next(tc.st, tc.given)
		if tries != tc.tries || serve != tc.serve || next.asked != (tc.st.State == supervise.Finished) {
			t.Errorf("%s: %+v, %d tries, %v", tc.name, next, tries, serve)
		}
	}
}

func TestTheExchangeAsksForItsPortsBeforeEachStart(t *testing.T) {
	var o outage
	for _, s := range o.watch(services("1.0.0")) {
		if (s.Before != nil) != (s.Name == exchange) {
			t.Errorf("%s: %v", s.Name, s.Before != nil)
		}
	}
	ended := 0
	o.end = func() { ended++ }
	o.giveBack()
	o.giveBack()
	if ended != 1 || o.given.IsZero() {
		t.Errorf("ended %d times, given back %v", ended, o.given)
	}
}
