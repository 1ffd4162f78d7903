package main_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

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
	speaksOnTape(t, o)
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

// The owner sets the backups up on the page. Another box, which nobody owns yet, takes what the first one knew on
// its first screen, and is that office when it starts next.
func TestTheOwnerSetsBackupsUpOnThePageAndANewBoxBecomesThatOffice(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 1})
	owner, stick := o.Claim(), t.TempDir()
	_, sheet := owner.Post("/backup/kit?lang=en", nil)
	kit := strings.ReplaceAll(regexp.MustCompile(`AGE-SECRET-KEY-1[ A-Z0-9]+`).FindString(sheet), " ", "")
	if len(kit) != 74 {
		t.Fatalf("the kit is %q", kit)
	}
	if status, page := owner.Post("/backup/kit/confirm", url.Values{"end": {kit[len(kit)-8:]}}); status != http.StatusSeeOther {
		t.Fatalf("confirming: %d %s", status, page)
	}
	if status, page := owner.Post("/backup/place?lang=en", url.Values{"to": {filepath.Join(stick, "gone")}}); status != http.StatusConflict || !strings.Contains(page, "backup.refused") {
		t.Errorf("a stick that is not plugged in: %d", status)
	}
	if status, page := owner.Post("/backup/place", url.Values{"to": {stick}}); status != http.StatusSeeOther {
		t.Fatalf("the place: %d %s", status, page)
	}
	if status, page := owner.Post("/changes/apply", nil); status != http.StatusOK {
		t.Fatalf("applying it: %d %s", status, page)
	}
	if status, page := owner.Post("/backup/now", nil); status != http.StatusSeeOther {
		t.Fatalf("now: %d %s", status, page)
	}
	owner.Shows("/backup?lang=en", "read back whole after writing", "Confirmed on", stick, `href="/backup/copy/pronto-`)
	_, page := owner.Get("/backup?lang=en")
	_, file := owner.Get(regexp.MustCompile(`/backup/copy/pronto-[^"]+`).FindString(page))
	if !strings.HasPrefix(file, "age-encryption.org/v1\n") {
		t.Fatalf("the copy is %.40q", file)
	}

	next := bench.Start(t, pbxtest.Setup{Agents: 1})
	stranger := next.Visit()
	form := func(code, key string) [][2]string {
		return [][2]string{{"code", code}, {"key", key}, {"part", "people"}, {"part", "records"}}
	}
	if status, page := stranger.Upload("/restore", "backup.age", []byte(file), form(o.Code(), kit)...); status != http.StatusForbidden {
		t.Errorf("with the label of the other box: %d %s", status, page)
	}
	if status, page := stranger.Upload("/restore", "backup.age", []byte(file[:len(file)-100]), form(next.Code(), kit)...); status != http.StatusUnprocessableEntity || !strings.Contains(page, "restore.damaged") {
		t.Errorf("half a file: %d %s", status, page)
	}
	if status, page := stranger.Upload("/restore?lang=en", "backup.age", []byte(file), form(next.Code(), kit)...); status != http.StatusOK || !strings.Contains(page, "takes effect at the next start") {
		t.Fatalf("%d %s", status, page)
	}

	again := bench.Start(t, pbxtest.Setup{Agents: 1, Before: func(dir string) {
		if err := os.CopyFS(filepath.Join(dir, "restore"), os.DirFS(filepath.Join(next.Dir, "restore"))); err != nil {
			t.Fatal(err)
		}
	}})
	back := again.Visit()
	if status, page := back.Post("/signin", url.Values{"name": {"owner"}, "password": {pbxtest.OwnerPassword}}); status != http.StatusSeeOther {
		t.Fatalf("the owner of the first box: %d %s", status, page)
	}
	back.Shows("/security?lang=en", "a backup was brought back", "made a recovery kit", "claimed the box")
}
