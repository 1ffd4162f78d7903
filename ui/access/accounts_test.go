package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// box is a set of accounts with its disk and its audit log.
type box struct {
	*Accounts
	t     *testing.T
	disk  []byte
	full  error // what the disk answers
	notes []Note
}

var (
	here    = Visitor{Addr: netip.MustParseAddr("192.168.1.20"), LAN: true, Browser: "Firefox"}
	there   = Visitor{Addr: netip.MustParseAddr("192.168.1.66"), LAN: true}
	outside = Visitor{Addr: netip.MustParseAddr("203.0.113.9")}
)

const good = "cavallo corretto pinzatrice"

func newBox(t *testing.T) *box {
	t.Helper()
	b := &box{t: t}
	b.start(time.Now())
	return b
}

// start begins with what the disk holds.
func (b *box) start(powered time.Time) {
	b.t.Helper()
	var kept State
	if b.disk != nil {
		if err := json.Unmarshal(b.disk, &kept); err != nil {
			b.t.Fatal(err)
		}
	}
	var err error
	b.Accounts, err = New(Config{
		Save: func(s State) error {
			if b.full == nil {
				b.disk, _ = json.Marshal(s)
			}
			return b.full
		},
		Note: func(n Note) { b.notes = append(b.notes, n) },
	}, kept, powered)
	if err != nil {
		b.t.Fatal(err)
	}
}

func claimed(t *testing.T) (*box, string) {
	t.Helper()
	b := newBox(t)
	token, err := b.Claim(t.Context(), string(b.Code()), "Anna", good, here)
	if err != nil {
		t.Fatal(err)
	}
	return b, token
}

func (b *box) wants(what string, err, want error) {
	b.t.Helper()
	if !errors.Is(err, want) || (err == nil) != (want == nil) {
		b.t.Fatalf("%s: %v, want %v", what, err, want)
	}
}

func (b *box) deeds() (all []Deed) {
	for _, n := range b.notes {
		all = append(all, n.What)
	}
	return all
}

func TestABoxIsClaimedWithItsCodeAndOnlyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t)
		_, err := b.SignIn(t.Context(), "anna", good, here)
		b.wants("signing in to nobody's box", err, ErrUnclaimed)
		_, err = b.Claim(t.Context(), string(NewCode()), "anna", good, here)
		b.wants("another box's code", err, ErrCode)
		typed := strings.ToLower(b.Code().String())
		_, err = b.Claim(t.Context(), typed, "anna", "short", here)
		b.wants("a bad password", err, ErrShort)
		_, err = b.Claim(t.Context(), typed, "an na", good, here)
		b.wants("a bad name", err, ErrName)
		token, err := b.Claim(t.Context(), typed, "Anna", good, here)
		b.wants("the code as it is printed", err, nil)
		if u, ok := b.Who(token, false); !ok || u.Name != "anna" || u.Role != Owner {
			t.Fatalf("the claim signed in %+v", u)
		}
		_, err = b.Claim(t.Context(), typed, "eve", good, there)
		b.wants("claiming again", err, ErrClaimed)
		if want := []Deed{DeedWrongCode, DeedClaimed}; !slices.Equal(b.deeds(), want) {
			t.Fatalf("noted %v, want %v", b.deeds(), want)
		}
	})
}

func TestABoxIsClaimedFromItsOwnNetworkAndInItsFirstHourOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t)
		_, err := b.Claim(t.Context(), string(b.Code()), "eve", good, outside)
		b.wants("from outside", err, ErrOutside)
		time.Sleep(ClaimFor)
		_, err = b.Claim(t.Context(), string(b.Code()), "anna", good, here)
		b.wants("after an hour", err, ErrClosed)
		code := b.Code()
		b.start(time.Now()) // switched off and on
		if b.Code() != code {
			t.Fatal("the label does not fit any more")
		}
		_, err = b.Claim(t.Context(), string(b.Code()), "anna", good, here)
		b.wants("after a new start", err, nil)
	})
}

func TestWrongCodesSlowDownAndNeverLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t)
		began := time.Now()
		guesses := 0
		for time.Since(began) < 30*time.Minute {
			_, err := b.Claim(t.Context(), string(NewCode()), "eve", good, there)
			var soon TooSoonError
			if errors.As(err, &soon) {
				if soon.Wait <= 0 || soon.Wait > mostWait {
					t.Fatalf("wait %v", soon.Wait)
				}
				time.Sleep(soon.Wait)
				continue
			}
			b.wants("a guess", err, ErrCode)
			guesses++
		}
		if guesses > 40 {
			t.Errorf("%d guesses in half an hour", guesses)
		}
		_, err := b.Claim(t.Context(), string(b.Code()), "anna", good, here)
		b.wants("the owner beside the guesser", err, nil)
	})
}

func TestMistypedCodesAreToldFromGuesses(t *testing.T) {
	for range 200 {
		c := NewCode()
		if got, ok := ReadCode(" " + strings.ToLower(c.String()) + " "); !ok || got != c {
			t.Fatalf("%s was read as %s, %v", c, got, ok)
		}
		for i := range codeLength { // one wrong character
			wrong := []byte(c)
			wrong[i] = alphabet[(strings.IndexByte(alphabet, wrong[i])+1+i)%32]
			if _, ok := ReadCode(string(wrong)); ok {
				t.Fatalf("%s passes for a code, mistyped from %s", wrong, c)
			}
		}
		for i := range codeLength - 1 { // two exchanged
			wrong := []byte(c)
			wrong[i], wrong[i+1] = wrong[i+1], wrong[i]
			if _, ok := ReadCode(string(wrong)); ok && wrong[i] != wrong[i+1] {
				t.Fatalf("%s passes for a code, mistyped from %s", wrong, c)
			}
		}
	}
	if got, ok := ReadCode("o1Il-0000-" + check("01110000")); !ok || got[:8] != "01110000" {
		t.Fatalf("letters that look like digits were read as %s", got)
	}
	synctest.Test(t, func(t *testing.T) {
		b := newBox(t)
		for range 10 {
			_, err := b.Claim(t.Context(), "ABCD-1234", "anna", good, here)
			b.wants("half a code", err, ErrCode)
		}
		_, err := b.Claim(t.Context(), string(b.Code()), "anna", good, here)
		b.wants("the whole one", err, nil)
	})
}

func TestWhoGuessesAPasswordSlowsDownHimselfAndNotItsOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := claimed(t)
		for i := range 40 { // from forty places, as a guesser does who has many
			v := Visitor{Addr: netip.MustParseAddr(fmt.Sprintf("203.0.113.%d", i)), LAN: false}
			_, err := b.SignIn(t.Context(), "anna", "wrong password "+fmt.Sprint(i), v)
			var soon TooSoonError
			if !errors.Is(err, ErrWrong) && !errors.As(err, &soon) {
				t.Fatal(err)
			}
			if i > freeTries && !errors.As(err, &soon) {
				t.Fatalf("guess %d was not slowed down", i)
			}
		}
		_, err := b.SignIn(t.Context(), "ANNA ", good, here)
		b.wants("the owner at the usual place", err, nil)
		for range freeTries {
			_, err = b.SignIn(t.Context(), "anna", "wrong", there)
			b.wants("a wrong one", err, ErrWrong)
		}
		_, err = b.SignIn(t.Context(), "anna", good, there)
		var soon TooSoonError
		if !errors.As(err, &soon) {
			t.Fatalf("after %d wrong tries: %v", freeTries, err)
		}
		time.Sleep(max(soon.Wait, strangerWait))
		_, err = b.SignIn(t.Context(), "anna", good, there)
		b.wants("after the wait", err, nil)
	})
}

func TestUnknownNamesAreAnsweredLikeWrongPasswords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := claimed(t)
		_, one := b.SignIn(t.Context(), "anna", "wrong", there)
		_, two := b.SignIn(t.Context(), "nobody", "wrong", there)
		if !errors.Is(one, ErrWrong) || fmt.Sprint(one) != fmt.Sprint(two) {
			t.Fatalf("a known name: %v; an unknown one: %v", one, two)
		}
		if matches("", "") || matches("x", "$argon2id$v=19$m=99999999,t=99,p=1$AAAA$AAAAAAAAAAAAAAAAAAAAAA") {
			t.Fatal("nobody's password was right")
		}
	})
}

func TestASessionEndsByIdlenessByAgeAndByWish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, token := claimed(t)
		signIn := func() string {
			token, err := b.SignIn(t.Context(), "anna", good, here)
			b.wants("signing in", err, nil)
			return token
		}
		is := func(token string, want bool, when string) {
			t.Helper()
			if _, ok := b.Who(token, false); ok != want {
				t.Fatalf("%s the session is open: %v", when, ok)
			}
		}
		is(token+"x", false, "with another token")
		is("", false, "without a token")
		time.Sleep(idleFor - time.Minute)
		is(token, true, "before it was idle for long")
		time.Sleep(idleFor)
		is(token, false, "after a night")
		token = signIn()
		for end := time.Now().Add(lastsFor); time.Now().Before(end); time.Sleep(time.Hour) {
			is(token, true, "while it is used")
		}
		is(token, false, "after two weeks")
		token = signIn()
		b.wants("signing out", b.SignOut(token, here), nil)
		is(token, false, "after signing out")
		b.wants("signing out again", b.SignOut(token, here), nil)
	})
}

func TestSessionsSurviveARestartAndTheFileOpensNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, token := claimed(t)
		if strings.Contains(string(b.disk), token) || strings.Contains(string(b.disk), good) {
			t.Fatal("the file holds a secret")
		}
		b.start(time.Now())
		if u, ok := b.Who(token, false); !ok || u.Name != "anna" {
			t.Fatalf("after the restart: %+v, %v", u, ok)
		}
		if _, ok := b.Who(b.Sessions("anna")[0].ID, false); ok {
			t.Fatal("what the file holds opens the session")
		}
	})
}

func TestADiskThatRefusesChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, token := claimed(t)
		b.full = errors.New("no space left on device")
		_, err := b.SignIn(t.Context(), "anna", good, here)
		b.wants("signing in", err, b.full)
		b.wants("adding", b.Add(t.Context(), "anna", "bruno", Agent, "bruno", nil, good, here), b.full)
		b.wants("a password", b.SetPassword(t.Context(), "anna", "anna", good+"2", token, here), b.full)
		b.full = nil
		_, err = b.SignIn(t.Context(), "anna", good, here)
		b.wants("the old password", err, nil)
		if len(b.Users()) != 1 {
			t.Fatalf("users %v", b.Users())
		}
		if _, ok := b.Who(token, false); !ok {
			t.Fatal("the session is gone")
		}
	})
}

func TestPeopleComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := claimed(t)
		ctx := t.Context()
		add := func(name string, r Role) error { return b.Add(ctx, "anna", name, r, "a1", nil, good, here) }
		b.wants("an agent", add("Bruno", Agent), nil)
		b.wants("twice", add("bruno ", Agent), ErrTaken)
		b.wants("no role", add("carla", "boss"), ErrRole)
		b.wants("no name", add("  ", Agent), ErrName)
		b.wants("a script for a name", add("<script>", Agent), ErrName)
		token, err := b.SignIn(ctx, "bruno", good, there)
		b.wants("signing in", err, nil)
		b.wants("promotion", b.SetRole("anna", "bruno", Supervisor, "a1", []tel.QueueID{"sales"}, here), nil)
		u, _ := b.Who(token, false)
		if !u.Supervises("sales") || u.Supervises("help") || u.May(Configure) {
			t.Fatalf("a supervisor of sales is %+v", u)
		}
		b.wants("the last owner steps down", b.SetRole("anna", "anna", Agent, "", nil, here), ErrLastOwner)
		b.wants("the last owner goes", b.Remove("anna", "anna", here), ErrLastOwner)
		b.wants("nobody goes", b.Remove("anna", "zoe", here), ErrNobody)
		b.wants("going", b.Remove("anna", "bruno", here), nil)
		if _, ok := b.Who(token, false); ok {
			t.Fatal("who was removed is still signed in")
		}
		for _, u := range b.Users() {
			if u.Password != "" {
				t.Fatal("the list of people tells passwords")
			}
		}
	})
}

func TestANewPasswordEndsEveryOtherSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, mine := claimed(t)
		stolen, err := b.SignIn(t.Context(), "anna", good, there)
		b.wants("signing in", err, nil)
		b.wants("the change", b.SetPassword(t.Context(), "anna", "anna", "tre civette sul comò", mine, here), nil)
		if _, ok := b.Who(stolen, false); ok {
			t.Fatal("the other session goes on")
		}
		if _, ok := b.Who(mine, false); !ok {
			t.Fatal("the session that changed it has ended")
		}
		_, err = b.SignIn(t.Context(), "anna", good, here)
		b.wants("the old password", err, ErrWrong)
	})
}

func TestALostPasswordIsReplacedFromTheConsole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, old := claimed(t)
		b.wants("an agent", b.Add(t.Context(), "anna", "bruno", Agent, "", nil, good, here), nil)
		time.Sleep(48 * time.Hour)
		b.Reopen()
		_, err := b.Claim(t.Context(), string(b.Code()), "anna", "tre civette sul comò", here)
		b.wants("the claim", err, nil)
		if _, ok := b.Who(old, false); ok {
			t.Fatal("an old session is open")
		}
		_, err = b.SignIn(t.Context(), "bruno", good, there)
		b.wants("the others", err, nil)
		_, err = b.Claim(t.Context(), string(b.Code()), "eve", good, here)
		b.wants("once more", err, ErrClaimed)
		if !slices.Contains(b.deeds(), DeedReopened) {
			t.Fatalf("noted %v", b.deeds())
		}
	})
}

func TestAFloodOfSignInsIsAnsweredWithoutHashing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := claimed(t)
		b.hasher <- struct{}{} // somebody hashes
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := b.SignIn(ctx, "anna", good, here)
		b.wants("a sign-in beside it", err, ErrBusy)
		<-b.hasher
	})
}

func TestPasswordsThatGuessersTryFirstAreRefused(t *testing.T) {
	for password, want := range map[string]error{
		"abc":                         ErrShort,
		"èèèèèèèèè":                   ErrShort, // nine characters, more bytes
		strings.Repeat("x1", 200):     ErrLong,
		"1234567890":                  ErrSimple,
		"abcdefghijkl":                ErrSimple,
		"aaaaaaaaaaaa":                ErrSimple,
		"abcabcabcabc":                ErrSimple,
		"0612345678":                  ErrSimple, // digits alone
		"Password123!":                ErrSimple,
		"juventus2026":                ErrSimple,
		"anna.2026!":                  ErrSimple, // the name and little else
		"cavallo corretto pinzatrice": nil,
		"tre civette sul comò":        nil,
		"xkq7-p2mm-81zz":              nil,
	} {
		if err := Check(password, "anna"); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("%q: %v, want %v", password, err, want)
		}
	}
}

func TestRolesMayWhatTheirNamesSay(t *testing.T) {
	for r, want := range map[Role]string{
		Owner: "see know work supervise configure own", Installer: "see know supervise configure",
		Supervisor: "see know work supervise", Agent: "see know work", Reader: "see", "intruder": "",
	} {
		var may []string
		for _, x := range []Right{See, Know, Work, Supervise, Configure, Own} {
			if r.May(x) {
				may = append(may, string(x))
			}
		}
		if got := strings.Join(may, " "); got != want {
			t.Errorf("%s may %q, want %q", r, got, want)
		}
	}
}

func TestManyGuessersDoNotFillTheMemory(t *testing.T) {
	p := newPace(freeTries, mostWait)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 3 * paceEntries {
		p.failed(fmt.Sprint(i), now.Add(time.Duration(i)*time.Millisecond))
	}
	if len(p.tries) > paceEntries {
		t.Fatalf("%d entries", len(p.tries))
	}
}

func FuzzReadCode(f *testing.F) {
	f.Add("0000-0000-0")
	f.Fuzz(func(t *testing.T, s string) {
		if c, ok := ReadCode(s); ok {
			if again, ok := ReadCode(c.String()); !ok || again != c {
				t.Fatalf("%q gives %s, which reads as %s", s, c, again)
			}
		}
	})
}

func FuzzHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=8,t=1,p=1$AAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, s string) {
		if salt, key, passes, memory, lanes, ok := parseHash(s); ok && (len(salt) > len(s) || len(key) == 0 || passes == 0 || memory == 0 || lanes == 0) {
			t.Fatal("a hash that cannot be computed")
		}
	})
}

// code is what an app shows that knows the secret.
func code(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	c, err := totp.GenerateCode(secret, at)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// guess is a code that no app shows now.
func guess(t *testing.T, secret string) string {
	for i := range 4 {
		g := fmt.Sprintf("%06d", i)
		now := time.Now()
		if g != code(t, secret, now) && g != code(t, secret, now.Add(step)) && g != code(t, secret, now.Add(-step)) {
			return g
		}
	}
	t.Fatal("three of four codes are right")
	return ""
}

// withCodes is a claimed box whose owner signs in with one-time codes.
func withCodes(t *testing.T) (b *box, secret string, spare []string) {
	t.Helper()
	b, _ = claimed(t)
	s, err := b.BeginOneTime("anna", "Bottega")
	b.wants("beginning", err, nil)
	again, _ := b.BeginOneTime("anna", "Bottega")
	if again.Text() != s.Text() {
		t.Fatal("a reload of the page made another secret")
	}
	if img, err := s.QR(); err != nil || img.Bounds().Dx() < 200 {
		t.Fatal("no picture", err)
	}
	_, err = b.ConfirmOneTime("anna", guess(t, s.Text()), here)
	b.wants("a wrong code", err, ErrOneTime)
	spare, err = b.ConfirmOneTime("anna", code(t, s.Text(), time.Now()), here)
	b.wants("the code", err, nil)
	time.Sleep(step) // the code that confirmed has been used
	return b, s.Text(), spare
}

func (b *box) half(password string) (string, error) {
	_, err := b.SignIn(b.t.Context(), "anna", password, here)
	var need CodeNeededError
	if errors.As(err, &need) {
		return need.Half, nil
	}
	return "", err
}

func TestOneTimeCodesAreAskedForAndCountOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, secret, _ := withCodes(t)
		if strings.Contains(fmt.Sprint(b.Users()), secret) {
			t.Fatal("the list of people tells the secret")
		}
		_, err := b.half("wrong")
		b.wants("a wrong password", err, ErrWrong)
		half, err := b.half(good)
		b.wants("the password", err, nil)
		if _, ok := b.Who(half, false); ok {
			t.Fatal("half a sign-in opens the page")
		}
		_, err = b.Finish(half, "123", here)
		b.wants("half a code", err, ErrOneTime)
		now := code(t, secret, time.Now())
		token, err := b.Finish(half, now[:3]+" "+now[3:], here)
		b.wants("the code", err, nil)
		if u, ok := b.Who(token, false); !ok || u.Name != "anna" {
			t.Fatalf("signed in %+v", u)
		}
		half, _ = b.half(good)
		_, err = b.Finish(half, now, there)
		b.wants("the same code, seen over a shoulder", err, ErrOneTime)
		_, err = b.Finish(half, code(t, secret, time.Now().Add(-2*step)), here)
		b.wants("an old code", err, ErrOneTime)
		b.start(time.Now())
		half, _ = b.half(good)
		_, err = b.Finish(half, now, here)
		b.wants("the same code after a restart", err, ErrOneTime)
		_, err = b.Finish(half, code(t, secret, time.Now().Add(step)), here)
		b.wants("a code of a clock that is ahead", err, nil)
	})
}

func TestASpareCodeOpensOnceWhenTheAppIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _, spare := withCodes(t)
		if len(spare) != spareCodes || strings.Contains(string(b.disk), strings.ReplaceAll(spare[0], "-", "")) {
			t.Fatalf("%d spare codes, or the file holds them", len(spare))
		}
		half, _ := b.half(good)
		_, err := b.Finish(half, strings.ToLower(spare[3]), here)
		b.wants("a spare code", err, nil)
		half, _ = b.half(good)
		_, err = b.Finish(half, spare[3], here)
		b.wants("the same one", err, ErrOneTime)
		b.wants("switching it off", b.StopOneTime("anna", "anna", here), nil)
		_, err = b.SignIn(t.Context(), "anna", good, here)
		b.wants("without a code", err, nil)
	})
}

func TestHalfASignInIsGuessedAtFiveTimesAndForFiveMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, secret, _ := withCodes(t)
		half, _ := b.half(good)
		for range halfTries {
			_, err := b.Finish(half, guess(t, secret), there)
			b.wants("a guess", err, ErrOneTime)
		}
		_, err := b.Finish(half, code(t, secret, time.Now()), there)
		b.wants("one more", err, ErrStale)
		half, err = b.half(good)
		b.wants("the owner beside it", err, nil)
		time.Sleep(halfFor)
		_, err = b.Finish(half, code(t, secret, time.Now()), here)
		b.wants("too late", err, ErrStale)
		half, _ = b.half(good)
		b.wants("a new password meanwhile", b.SetPassword(t.Context(), "anna", "anna", "tre civette sul comò", "", here), nil)
		_, err = b.Finish(half, code(t, secret, time.Now()), here)
		b.wants("with the old one", err, ErrStale)
	})
}
