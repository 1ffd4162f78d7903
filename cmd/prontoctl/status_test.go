package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/control"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestTheStatusShowsSkillsForecastCallbacksSupervisorsAndWhoWasSentOn(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	since := now.Add(-time.Minute)
	body, err := control.EncodePresent([]tel.Event{
		tel.QueueJoined{Queue: "sales", Call: "c1", Caller: "+39061", At: since, Needs: []tel.Need{{Skill: "english", Level: 7}}},
		tel.QueueJoined{Queue: "sales", Call: "c2", Caller: "+39062", At: since},
		tel.WaitExpected{Queue: "sales", Call: "c1", From: 2, To: 5},
		tel.WaitExpected{Queue: "sales", Call: "c2", From: 60},
		tel.CallbackChanged{Callback: "cb1", Queue: "sales", State: tel.CallbackWaiting, Number: "+39333", Asked: since},
		tel.AgentChanged{Agent: "sara", Name: "Sara", State: tel.AgentInternal, Since: since},
		tel.AgentChanged{Agent: "anna", Name: "Anna", State: tel.AgentTalking, Since: since},
		tel.LampChanged{Lamp: "desk1", Agent: "anna", State: tel.AgentTalking},
		tel.SupervisionStarted{Supervision: tel.Supervision{Call: "c3", Leg: "l", By: "sara", Agent: "anna", Mode: tel.SuperviseListen}},
		tel.LineChanged{Line: "line:gsm0", Name: "SIM", Cause: tel.LineNoSIM},
		tel.FiguresChanged{Calls: 9, SentOn: 4},
		tel.RTPTraceChanged{On: true, Of: "trunk:tim", Name: "TIM", By: "owner", Until: time.Date(2026, 3, 2, 15, 4, 0, 0, time.Local)},
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := control.DecodePresent(body)
	if err != nil {
		t.Fatal(err)
	}
	whole := statusText(p, now)
	rest := whole
	for _, want := range []string{ // in this order
		"waiting 2  calls 0  today: 9 calls ended, 0 answered, 0 lost, 4 sent on",
		"+39061         waits 1m0s, asks for english 7, probably 2 to 5 min\n",
		"+39062         waits 1m0s, probably more than 60 min\n",
		"+39333         is to be called back, waiting since 1m0s\n",
		"agent Anna     talking      1m0s   lamp talking, listen: Sara\n",
		"agent Sara     internal     1m0s   no lamp\n",
		"trace keeps the RTP of TIM (trunk:tim) until 2026-03-02 15:04, permitted by owner\n",
		"line  SIM      DOWN sim_missing\n",
	} {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Errorf("%q is missing or out of its place in\n%s", want, whole)
			continue
		}
		rest = after
	}
	dir, asked := exchange(t, string(body))
	var out, errs bytes.Buffer
	if err := status([]string{"-var", dir}, &out, &errs); err != nil || !strings.Contains(out.String(), "asks for english 7") {
		t.Error(out.String(), err, errs.String())
	}
	if len(*asked) != 1 || (*asked)[0] != "GET /now" {
		t.Errorf("asked %q", *asked)
	}
	broken, _ := exchange(t, "{}")
	if err := status([]string{"-var", broken}, &out, &errs); err == nil || !strings.HasPrefix(err.Error(), "prontod's answer: ") {
		t.Errorf("an answer that is none: %v", err)
	}
}
