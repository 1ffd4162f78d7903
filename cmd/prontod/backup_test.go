package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// The card of a box dies. Another box gets its backup, made while calls were up, with the recovery kit: the
// message in the mailbox, the desk's settings and the call records are there.
func TestAnotherBoxGetsTheMessagesSettingsAndRecordsFromABackup(t *testing.T) {
	t.Parallel()
	setup := pbxtest.Setup{
		Agents: 2, Carrier: 5070, In: "ext:201", Calls: person(201, `ring: 5s, forward: {busy: "voicemail:201"}`),
		Extra: "voicemail: {boxes: [{number: \"201\", pin: \"90210\", own_phone: true}]}\n",
	}
	o := bench.Start(t, setup)
	anna, carrier := deskAt(t, o, 201, hzAgent), carrierOf(t, o, hzCarrier)
	bruno := deskAt(t, o, 202, hzCaller)
	bruno.code("*78") // do not disturb
	go func() { (<-anna.rings).Reject(486) }()
	c := carrier.customer(mobileNumber)
	stage(o, tel.StageMenu)
	listen(t, "the greeting of the mailbox", c)
	c.Audio().Press("#")
	lamp := subscribe(t, anna.Peer, "message-summary", "201")
	time.Sleep(4 * time.Second) // the beep and what is said
	c.Hangup()
	note(t, lamp, "Messages-Waiting: yes", "Voice-Message: 1/0")
	before := o.CallRecords(2)
	talk := bruno.dial("*43") // a call is up while the backup is made
	answered(t, "the echo", talk)

	stick := t.TempDir()
	kit := regexp.MustCompile(`AGE-SECRET-KEY-1\w+`).FindString(ctl(t, o, "backup", "kit"))
	ctl(t, o, "backup", "confirm", kit)
	ctl(t, o, "backup", "now", stick)
	talk.Hangup()
	files, err := filepath.Glob(filepath.Join(stick, "pronto-*.age"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	if said := ctl(t, o, "backup", "check", files[0]); !strings.Contains(said, "whole") {
		t.Errorf("the check says %q", said)
	}

	setup.Carrier = 5071
	setup.Before = func(dir string) {
		key := filepath.Join(t.TempDir(), "kit")
		if err := os.WriteFile(key, []byte(kit+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		ctl(t, &pbxtest.Office{Dir: dir}, "restore", "-key", key, "-only", "people,voicemail,queues,costs,texts,records", files[0])
	}
	next := bench.Start(t, setup)
	anna = deskAt(t, next, 201, hzAgent)
	note(t, subscribe(t, anna.Peer, "message-summary", "201"), "Messages-Waiting: yes", "Voice-Message: 1/0")
	box := anna.talksTo("*97")
	listen(t, "the menu of the mailbox", box)
	box.Audio().Press("1#")
	hearsTone(t, "Anna", box, hzCarrier)
	box.Hangup()
	if status := anna.refused("202"); status != 486 {
		t.Errorf("who is not to be disturbed is called with %d", status)
	}
	// The two calls of the first box, and two of this one: the mailbox and the colleague.
	if after := next.CallRecords(4); after[3].Call != before[1].Call || after[2].Call != before[0].Call {
		t.Errorf("the oldest records are %v and %v, want %v and %v", after[3].Call, after[2].Call, before[1].Call, before[0].Call)
	}
	if label := ctl(t, next, "claim"); label == "" || label == ctl(t, o, "claim") {
		t.Errorf("the other box has the code of the first one's label: %s", label)
	}
}
