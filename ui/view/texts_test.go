package view

import (
	"fmt"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestTheLatestMessagesStandOnThePageOnceAndWithoutTheirText(t *testing.T) {
	at := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	m := NewModel("x", nil, nil)
	m.Apply(tel.LineChanged{Line: "line:gsm0", Name: "Mobile"})
	for i := range 8 {
		m.Apply(tel.SMSReceived{SMS: tel.SMS{ID: tel.SMSID(fmt.Sprint("r", i)), Line: "line:gsm0", From: "TIM", Text: "secret", State: tel.SMSIn, At: at.Add(time.Duration(i) * time.Minute)}})
	}
	ours := tel.SMS{ID: "s1", Line: "line:gsm0", To: "+393331234567", Text: "secret", State: tel.SMSQueued, At: at.Add(time.Hour)}
	m.Apply(tel.SMSWaits{SMS: ours})
	ours.State = tel.SMSOut
	m.Apply(tel.SMSSent{SMS: ours})
	ours.State = tel.SMSArrived
	if parts := m.Apply(tel.SMSDelivered{SMS: ours}); len(parts) != 1 || parts[0].Section != SectionTexts {
		t.Errorf("changed %v", parts)
	}
	all := m.Office().Texts
	if len(all) != 6 || all[0] != (Text{ID: "s1", Party: "+393331234567", Ours: true, State: tel.SMSArrived, At: at.Add(time.Hour), Line: "Mobile"}) || all[1].ID != "r7" || all[5].ID != "r3" {
		t.Errorf("the page has %+v", all)
	}
}
