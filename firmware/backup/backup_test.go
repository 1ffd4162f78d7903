package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/audit"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/statefile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var night = time.Date(2026, 3, 2, 2, 30, 0, 0, time.UTC)

const carriers = `box: {name: "Bar Centrale"}
trunks: [{id: tim, name: TIM, server: sip.example.it, register: true, user: u, password: a-carrier-password, number: "+390612345678"}]
`

// newBox is a box with something in every chapter.
func newBox(t *testing.T, cfg, mark string) Source {
	t.Helper()
	s := Source{Dir: filepath.Join(t.TempDir(), "var"), Config: filepath.Join(t.TempDir(), "pronto.yaml")}
	for name, body := range map[string]string{
		"config/000001.yaml": "v1 " + mark, "personal.json": mark, "voicemail/box/201/a.wav": mark, "voicemail/box/201/a.json": mark,
		"voicemail/spool/half.wav": "never " + mark, "ledger.json": mark, "toll.json": mark, "sms.json": mark, "history/1.seg": mark, "audit.jsonl": signedIn(mark),
		"records/backups/b.bak": mark, "records/badger/live": "never " + mark, "label.json": "the label of " + mark, "tls/key.pem": "never " + mark,
		"voicemail/box/201/b.wav.part": "never " + mark,
	} {
		write(t, filepath.Join(s.Dir, name), body)
	}
	write(t, s.Config, cfg)
	if err := statefile.Save(filepath.Join(s.Dir, "access.json"), 1, map[string]string{"users": mark, "sessions": mark, "code": mark}); err != nil {
		t.Fatal(err)
	}
	return s
}

// signedIn is a line of the audit log.
func signedIn(who string) string {
	return `{"at":"2026-03-01T09:00:00Z","what":"signed_in","user":"` + who + `"}` + "\n"
}

// deeds are the lines of a box's audit log, the newest first.
func deeds(t *testing.T, s Source) string {
	t.Helper()
	l, err := audit.Open(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	all, err := l.Last(100)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, e := range all {
		said = append(said, e.What+" "+e.User+e.Whom)
	}
	return strings.Join(said, ", ")
}

func write(t *testing.T, path, body string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(body), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// tree is what lies in a folder, by name.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		all[rel] = string(body)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// backedUp makes a recovery kit and a backup, and returns the kit's key and the file.
func backedUp(t *testing.T, s Source) (*age.X25519Identity, []byte) {
	t.Helper()
	secret, err := NewKit(s, night)
	if err != nil {
		t.Fatal(err)
	}
	kit, err := ParseKey(strings.ToLower(secret[:20]) + " " + secret[20:]) // as somebody types it
	if err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	st, err := Make(t.Context(), s, Folder(to), to, "v1", night)
	if err != nil {
		t.Fatal(err)
	}
	body, err := os.ReadFile(filepath.Join(to, st.Name))
	if err != nil {
		t.Fatal(err)
	}
	return kit, body
}

func restored(t *testing.T, s Source, c Choice, file []byte, kit age.Identity) Restored {
	t.Helper()
	r, err := Stage(s, bytes.NewReader(file), c, kit)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Apply(s); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEverythingComesBackWithTheRecoveryKitAndNothingThatIsTheBoxsOwn(t *testing.T) {
	was := newBox(t, carriers, "old")
	kit, file := backedUp(t, was)
	next := newBox(t, "box: {name: New}\n", "new")
	write(t, filepath.Join(next.Dir, "forecast.json"), "new") // the backup has none
	if _, err := Stage(next, bytes.NewReader(file), Choice{}, kit); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, next.Dir)["sms.json"]; got != "new" {
		t.Fatalf("before the restart: %q", got)
	}
	chapters, err := Apply(next)
	all := slices.DeleteFunc(Chapters(), func(c Chapter) bool { return c == Recordings }) // which the owner did not want in it
	if err != nil || !slices.Equal(chapters, all) {
		t.Fatalf("%v, %v", chapters, err)
	}
	got := tree(t, next.Dir)
	for name, body := range got {
		switch {
		case strings.HasPrefix(name, "backup/"), name == "access.json", strings.HasPrefix(name, "audit."):
		case name == "label.json" || name == "tls/key.pem":
			if !strings.HasSuffix(body, "new") {
				t.Errorf("%s is of the other box: %q", name, body)
			}
		case strings.HasPrefix(body, "never") || !strings.HasSuffix(body, "old"):
			t.Errorf("%s: %q", name, body)
		}
	}
	for _, name := range []string{"voicemail/box/201/a.wav", "personal.json", "history/1.seg", "audit.jsonl", "records/backups/b.bak", "config/000001.yaml"} {
		if got[name] == "" {
			t.Errorf("%s is missing", name)
		}
	}
	for _, name := range []string{"forecast.json", "records/badger/live", "restore/plan.json"} {
		if _, ok := got[name]; ok {
			t.Errorf("%s is still there", name)
		}
	}
	var who map[string]string
	if err := statefile.Load(filepath.Join(next.Dir, "access.json"), 1, &who); err != nil || who["users"] != "old" || who["sessions"]+who["code"] != "" {
		t.Errorf("people: %v, %v", who, err)
	}
}

func TestARestoreAddsToTheAuditLogAndTakesNothingFromIt(t *testing.T) {
	was := newBox(t, carriers, "old")
	kit, file := backedUp(t, was)
	next := newBox(t, "box: {name: New}\n", "new")
	want := "restored Bar Centrale 2026-03-02T02:30:00Z, signed_in new, signed_in old"
	restored(t, next, Choice{}, file, kit)
	if got := deeds(t, next); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	restored(t, next, Choice{Chapters: []Chapter{Texts}, By: "anna"}, file, kit)
	if got, want := deeds(t, next), strings.Replace(want, "restored ", "restored annaBar Centrale 2026-03-02T02:30:00Z, restored ", 1); got != want {
		t.Errorf("a second one, of a part: %q, want %q", got, want)
	}
	restored(t, was, Choice{}, file, kit) // whose own lines it tells again
	if got := deeds(t, was); got != "restored Bar Centrale 2026-03-02T02:30:00Z, signed_in old" {
		t.Errorf("the same box: %q", got)
	}
}

func TestWhatLiesReadyIsToldAndMayTakeTheLinesOfTheBoxThatIsGone(t *testing.T) {
	was := newBox(t, carriers, "old")
	kit, file := backedUp(t, was)
	next := newBox(t, "{}", "new")
	if r, err := Staged(next); r != nil || err != nil {
		t.Fatalf("before: %v, %v", r, err)
	}
	if _, err := Stage(next, bytes.NewReader(file), Choice{}, kit); err != nil {
		t.Fatal(err)
	}
	r, err := Staged(next)
	if err != nil || r == nil || r.Name != "Bar Centrale" || !r.Foreign || !slices.Equal(r.Disabled, []string{"tim"}) || r.Total.Files == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := TakeCarriers(next); err != nil {
		t.Fatal(err)
	}
	if r, err := Staged(next); err != nil || r == nil || len(r.Disabled) != 0 {
		t.Errorf("after: %+v, %v", r, err)
	}
	if _, err := Apply(next); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(next.Config)
	if cfg, err := config.Parse(text); err != nil || len(cfg.Trunks) != 1 || cfg.Trunks[0].Disabled {
		t.Errorf("%v\n%s", err, text)
	}
	if err := TakeCarriers(next); err == nil {
		t.Error("nothing lies ready, and it was changed")
	}
}

func TestTheRecordsMayLieElsewhere(t *testing.T) {
	was := newBox(t, carriers, "old")
	was.Records = filepath.Join(t.TempDir(), "records")
	write(t, filepath.Join(was.Records, "backups", "b.bak"), "old, elsewhere")
	kit, file := backedUp(t, was)
	next := newBox(t, "{}", "new")
	next.Records = filepath.Join(next.Dir, "..", "elsewhere")
	restored(t, next, Choice{}, file, kit)
	if got, err := os.ReadFile(filepath.Join(next.Records, "backups", "b.bak")); err != nil || string(got) != "old, elsewhere" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestAnotherBoxDoesNotTakeTheCallsOfTheCarrierUntilItIsTold(t *testing.T) {
	was := newBox(t, carriers, "old")
	kit, file := backedUp(t, was)
	disabled := func(s Source) bool {
		text, err := os.ReadFile(s.Config)
		cfg, bad := config.Parse(text)
		if err != nil || bad != nil || cfg.Box.Name != "Bar Centrale" || len(cfg.Trunks) != 1 || string(cfg.Trunks[0].Password) != "a-carrier-password" {
			t.Fatalf("%v, %v\n%s", err, bad, text)
		}
		return cfg.Trunks[0].Disabled
	}
	other := newBox(t, "{}", "new")
	if r := restored(t, other, Choice{}, file, kit); !r.Foreign || !slices.Equal(r.Disabled, []string{"tim"}) || !disabled(other) {
		t.Errorf("another box: %+v", r)
	}
	if r := restored(t, other, Choice{Carriers: true}, file, kit); !r.Foreign || r.Disabled != nil || disabled(other) {
		t.Errorf("another box that was told to: %+v", r)
	}
	if r := restored(t, was, Choice{}, file, kit); r.Foreign || disabled(was) {
		t.Errorf("the same box: %+v", r)
	}
}

func TestOneChapterIsRestoredAlone(t *testing.T) {
	was := newBox(t, carriers, "old")
	kit, file := backedUp(t, was)
	next := newBox(t, "box: {name: New}\n", "new")
	restored(t, next, Choice{Chapters: []Chapter{Voicemail}}, file, kit)
	got := tree(t, next.Dir)
	if got["voicemail/box/201/a.wav"] != "old" || got["sms.json"] != "new" || got["personal.json"] != "new" || got["records/badger/live"] != "never new" {
		t.Errorf("%v", got)
	}
	if text, err := os.ReadFile(next.Config); err != nil || !strings.Contains(string(text), "New") {
		t.Errorf("%s, %v", text, err)
	}
}

// The power goes before each single change to the disk, and the box starts again.
func TestAPowerCutAtAnyMomentOfARestoreLosesNothing(t *testing.T) {
	was := newBox(t, carriers, "old")
	kit, file := backedUp(t, was)
	want := func() map[string]string {
		s := newBox(t, "{}", "new")
		restored(t, s, Choice{}, file, kit)
		return told(t, s)
	}()
	for step := range len(roots) {
		s := newBox(t, "{}", "new")
		if _, err := Stage(s, bytes.NewReader(file), Choice{}, kit); err != nil {
			t.Fatal(err)
		}
		for _, r := range roots[:step] {
			if err := s.replace(planned{r.path, staged(s, r)}); err != nil {
				t.Fatal(err)
			}
		}
		if r := roots[step]; r.path != configName && !slices.Contains(audit.Files(), r.path) { // cut between the two renames of one step
			old := filepath.Join(s.stage(), "old", r.path)
			if err := errors.Join(os.MkdirAll(filepath.Dir(old), 0o700), ignore(os.Rename(s.at(r.path), old), fs.ErrNotExist)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Apply(s); err != nil {
			t.Fatalf("after step %d: %v", step, err)
		}
		if got := told(t, s); !maps.Equal(got, want) {
			t.Errorf("cut in step %d: %v, want %v", step, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		}
	}
}

// told is what lies on a box, but its own keys and when it was told to restore.
func told(t *testing.T, s Source) map[string]string {
	t.Helper()
	all := tree(t, s.Dir)
	delete(all, "backup/keys.json")
	delete(all, "audit.jsonl")
	all["deeds"] = deeds(t, s)
	return all
}

func staged(s Source, r root) bool {
	_, err := os.Lstat(filepath.Join(s.stage(), "files", r.path))
	return err == nil
}

func ignore(err, one error) error {
	if errors.Is(err, one) {
		return nil
	}
	return err
}

func TestWhatIsNoWholeBackupChangesNothingAndSaysWhy(t *testing.T) {
	was := newBox(t, carriers, "old")
	kit, file := backedUp(t, was)
	stranger, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	spoiled := slices.Clone(file)
	spoiled[len(spoiled)-20] ^= 1
	forged := func(name, body string) []byte {
		var out bytes.Buffer
		sealed, err := age.Encrypt(&out, kit.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		packed := newPacker(sealed)
		m, _ := json.Marshal(Manifest{V: 1})
		packed.file(t, manifestName, string(m))
		packed.file(t, name, body)
		packed.close(t)
		return out.Bytes()
	}
	// bomb is a backup that is more when it is unpacked: zeros behind its end, or a file that its head only promises.
	bomb := func(behind int, head *tar.Header) []byte {
		var out bytes.Buffer
		sealed, err := age.Encrypt(&out, kit.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		packed := newPacker(sealed)
		m, _ := json.Marshal(Manifest{V: 1})
		packed.file(t, manifestName, string(m))
		packed.file(t, configName, carriers)
		if head != nil {
			if err := packed.tar.WriteHeader(head); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(packed.packed.Close(), sealed.Close()); err != nil {
				t.Fatal(err)
			}
			return out.Bytes()
		}
		if err := packed.tar.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := packed.packed.Write(make([]byte, behind)); err != nil {
			t.Fatal(err)
		}
		packed.close(t)
		return out.Bytes()
	}
	for name, c := range map[string]struct {
		file []byte
		key  age.Identity
		want error
	}{
		"zeros without end":           {bomb(64<<20, nil), kit, ErrDamaged},
		"a file larger than any":      {bomb(0, &tar.Header{Name: "voicemail/a/b.wav", Mode: 0o600, Size: largest + 1}), kit, ErrDamaged},
		"another key":                 {file, stranger, ErrKey},
		"nothing":                     {nil, kit, ErrDamaged},
		"cut off":                     {file[:len(file)-7], kit, ErrDamaged},
		"cut off in its middle":       {file[:len(file)/2], kit, ErrDamaged},
		"one bit is wrong":            {spoiled, kit, ErrDamaged},
		"something else":              {[]byte("PK\x03\x04 a zip of holiday pictures"), kit, ErrDamaged},
		"a path that leads out":       {forged("voicemail/../../etc/passwd", "x"), kit, ErrDamaged},
		"an absolute path":            {forged("/etc/passwd", "x"), kit, ErrDamaged},
		"a label of another box":      {forged("label.json", "x"), kit, ErrDamaged},
		"no configuration":            {forged("sms.json", "x"), kit, ErrDamaged},
		"a configuration of nonsense": {forged(configName, "phones: 7"), kit, nil},
	} {
		s := newBox(t, "{}", "new")
		before := tree(t, s.Dir)
		_, err := Stage(s, bytes.NewReader(c.file), Choice{}, c.key)
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if chapters, err := Apply(s); err != nil || chapters != nil {
			t.Errorf("%s: %v is applied, %v", name, chapters, err)
		}
		after := tree(t, s.Dir)
		delete(after, "backup/keys.json")
		if !maps.Equal(before, after) {
			t.Errorf("%s: the box has changed", name)
		}
	}
}

func TestABackupThatDoesNotComeBackDoesNotCount(t *testing.T) {
	s := newBox(t, carriers, "old")
	to := Folder(t.TempDir())
	if _, err := Make(t.Context(), s, to, "x", "v1", night); !errors.Is(err, errNoKit) {
		t.Errorf("without a kit: %v", err)
	}
	if _, err := NewKit(s, night); err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]Place{
		"a place that spoils": spoiling{to}, "a stick that is not there": Folder("/nowhere/at/all"), "a full one": full{to},
	} {
		st, err := Make(t.Context(), s, p, "x", "v1", night)
		if err == nil || st.Failed == "" || !st.Made.IsZero() {
			t.Errorf("%s: %+v, %v", name, st, err)
		}
		if kept, err := ReadStatus(s); err != nil || kept.Failed != st.Failed {
			t.Errorf("%s: the status says %+v, %v", name, kept, err)
		}
	}
	if names, err := to.List(t.Context()); err != nil || len(names) != 0 {
		t.Errorf("left: %v, %v", names, err)
	}
	st, err := Make(t.Context(), s, to, "x", "v1", night.Add(time.Minute))
	if err != nil || st.Failed != "" || st.Made.IsZero() || st.Files == 0 {
		t.Errorf("%+v, %v", st, err)
	}
}

// spoiling loses the last bytes of what it keeps.
type spoiling struct{ Folder }

func (p spoiling) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	f, err := p.Folder.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(f, 400), f}, nil
}

// full takes a few bytes.
type full struct{ Folder }

func (full) Put(_ context.Context, _ string, body io.Reader) error {
	_, err := io.CopyN(io.Discard, body, 100)
	return errors.Join(err, errors.New("no space left on device"))
}

func TestTheKitIsConfirmedByItsSecretAlone(t *testing.T) {
	s := newBox(t, carriers, "old")
	first, err := NewKit(s, night)
	if err != nil {
		t.Fatal(err)
	}
	second, err := NewKit(s, night)
	if err != nil {
		t.Fatal(err)
	}
	for secret, ok := range map[string]bool{first: false, "": false, "AGE-SECRET-KEY-1": false, second: true} {
		if err := Confirm(s, secret, night); (err == nil) != ok {
			t.Errorf("%q: %v", secret, err)
		}
	}
	if k, err := OpenKeys(s); err != nil || !k.Confirmed.Equal(night) {
		t.Errorf("%+v, %v", k, err)
	}
	later := night.Add(time.Hour)
	for end, ok := range map[string]bool{first[len(first)-EndLength:]: false, "ABCD EFGH": false, strings.ToLower(second[len(second)-EndLength:len(second)-4]) + " " + second[len(second)-4:]: true} {
		if err := Confirm(s, end, later); (err == nil) != ok {
			t.Errorf("%q: %v", end, err)
		}
	}
	if k, err := ReadKeys(s); err != nil || !k.Confirmed.Equal(later) {
		t.Errorf("by its end: %+v, %v", k, err)
	}
	for _, body := range tree(t, s.Dir) {
		if strings.Contains(body, second) {
			t.Error("the box keeps the secret of the kit")
		}
	}
}

// Who looks makes nothing: the page asks each minute, beside the programs that make keys.
func TestEachDebtIsNamedUntilADeadCardCostsNothing(t *testing.T) {
	s := newBox(t, carriers, "old")
	to := t.TempDir()
	owes := func(when string, c config.Backup, now time.Time, want string) {
		t.Helper()
		if got := Debt(s, c, now); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q", when, got)
		}
	}
	owes("no place", config.Backup{}, night, "no place")
	c := config.Backup{To: to}
	owes("no kit", c, night, "no recovery kit")
	if _, err := os.Stat(s.keysFile()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("looking has made keys: %v", err)
	}
	secret, err := NewKit(s, night)
	if err != nil {
		t.Fatal(err)
	}
	owes("none made", c, night, "no backup was made")
	if _, err := Make(t.Context(), s, Folder(filepath.Join(to, "gone")), to, "v1", night); err == nil {
		t.Fatal("made in a folder that there is not")
	}
	owes("failed", c, night, "no such file")
	if _, err := Make(t.Context(), s, Folder(to), to, "v1", night); err != nil {
		t.Fatal(err)
	}
	owes("not confirmed", c, night, "confirmed")
	if err := Confirm(s, secret, night); err != nil {
		t.Fatal(err)
	}
	owes("all is well", c, night, "")
	owes("old", c, night.Add(stale+time.Second), "the last backup is of")
}

func TestTheLastDaysWeeksAndMonthsAreKept(t *testing.T) {
	to := Folder(t.TempDir())
	for day := range 400 {
		write(t, filepath.Join(string(to), Name("Bar Centrale", night.AddDate(0, 0, -day))), "x")
	}
	write(t, filepath.Join(string(to), Name("Another office", night.AddDate(-3, 0, 0))), "x")
	write(t, filepath.Join(string(to), "holiday.jpg"), "x")
	if err := prune(t.Context(), to, "Bar Centrale"); err != nil {
		t.Fatal(err)
	}
	kept := slices.Sorted(maps.Keys(tree(t, string(to))))
	want := []string{
		"holiday.jpg", "pronto-another-office-20230302T023000Z.age", "pronto-bar-centrale-20251031T023000Z.age",
		"pronto-bar-centrale-20251130T023000Z.age", "pronto-bar-centrale-20251231T023000Z.age", "pronto-bar-centrale-20260131T023000Z.age",
		"pronto-bar-centrale-20260215T023000Z.age", "pronto-bar-centrale-20260222T023000Z.age",
		"pronto-bar-centrale-20260224T023000Z.age", "pronto-bar-centrale-20260225T023000Z.age", "pronto-bar-centrale-20260226T023000Z.age",
		"pronto-bar-centrale-20260227T023000Z.age", "pronto-bar-centrale-20260228T023000Z.age", "pronto-bar-centrale-20260301T023000Z.age",
		"pronto-bar-centrale-20260302T023000Z.age",
	}
	if !slices.Equal(kept, want) {
		t.Errorf("kept:\n%s", strings.Join(kept, "\n"))
	}
}

func TestABackupIsDueEachNightAndSoonAfterAFailureOrToANewPlace(t *testing.T) {
	c := config.Backup{To: "/media/usb", Hour: 2}
	made := Status{Made: night.Add(-24 * time.Hour), To: c.To}
	for name, tc := range map[string]struct {
		now  time.Time
		st   Status
		want bool
	}{
		"never made":                      {night, Status{}, true},
		"the next night":                  {night, made, true},
		"the same night":                  {night.Add(-23*time.Hour - 50*time.Minute), made, false},
		"by day":                          {night.Add(-12 * time.Hour), made, false},
		"the box was off at night":        {night.Add(3 * time.Hour), made, true},
		"another stick":                   {night.Add(-12 * time.Hour), Status{Made: made.Made, To: "/media/other"}, true},
		"made in the future":              {night.Add(-48 * time.Hour), made, true},
		"failed a moment ago":             {night, Status{Tried: night.Add(-time.Minute), Failed: "no stick"}, false},
		"failed an hour ago":              {night, Status{Tried: night.Add(-time.Hour), Failed: "no stick"}, true},
		"failed, and the clock went back": {night, Status{Tried: night.Add(time.Hour), Failed: "no stick"}, true},
	} {
		if got := due(tc.now, c, tc.st); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func FuzzABackupNeverLeadsOut(f *testing.F) {
	for _, name := range []string{"sms.json", "../sms.json", "voicemail/./x", "records/backups/x", "records/backups/../../x", "history//x", "voicemail/spool/x", ""} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		r, ok := owner(name)
		if !ok {
			return
		}
		at := Source{Dir: "/var", Config: "/etc/pronto.yaml"}.at(name)
		if name != configName && !strings.HasPrefix(at, "/var/"+r.path) || strings.Contains(at, "..") && !strings.Contains(name, "..") {
			t.Errorf("%q leads to %s", name, at)
		}
	})
}
