package access

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

const invitedPassword = "un mare di girasoli gialli"

func TestAnInvitationMakesAUserOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := claimed(t)
		code, err := b.Invite("anna", " Bruno ", Agent, "bruno", nil, here)
		if err != nil || len(code) != inviteLength {
			t.Fatal(code, err)
		}
		if i, err := b.Invited(strings.ToLower(code[:4]+"-"+code[4:10]+" "+code[10:]), here); err != nil || i.Name != "bruno" || i.Agent != "bruno" {
			t.Errorf("typed by hand: %+v %v", i, err)
		}
		if all := b.Invites(); len(all) != 1 || all[0].Name != "bruno" || strings.Contains(all[0].ID, code) {
			t.Errorf("%+v", all)
		}
		if _, err := b.Accept(t.Context(), code, "short", here); !errors.Is(err, ErrShort) || len(b.Invites()) != 1 {
			t.Errorf("a password that is none: %v", err)
		}
		token, err := b.Accept(t.Context(), code, invitedPassword, here)
		if err != nil {
			t.Fatal(err)
		}
		if u, ok := b.Who(token, false); !ok || u.Name != "bruno" || u.Role != Agent || u.Agent != "bruno" {
			t.Errorf("%+v", u)
		}
		if _, err := b.SignIn(t.Context(), "bruno", invitedPassword, here); err != nil {
			t.Errorf("the password: %v", err)
		}
		if _, err := b.Accept(t.Context(), code, invitedPassword, here); !errors.Is(err, ErrInvite) || len(b.Invites()) != 0 {
			t.Errorf("for the second time: %v", err)
		}
	})
}

func TestAnInvitationIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := claimed(t)
		give := func(name string) string {
			code, err := b.Invite("anna", name, Supervisor, "", []tel.QueueID{"sales"}, here)
			if err != nil {
				t.Fatal(err)
			}
			return code
		}
		first := give("bruno")
		second := give("bruno")
		if _, err := b.Invited(first, here); !errors.Is(err, ErrInvite) {
			t.Errorf("one that was replaced: %v", err)
		}
		if _, err := b.Accept(t.Context(), second, invitedPassword, outside); !errors.Is(err, ErrOutside) {
			t.Errorf("from the Internet: %v", err)
		}
		if err := b.Uninvite("anna", "bruno", here); err != nil {
			t.Error(err)
		}
		if _, err := b.Invited(second, here); !errors.Is(err, ErrInvite) {
			t.Errorf("one that was taken back: %v", err)
		}
		if err := b.Uninvite("anna", "bruno", here); !errors.Is(err, ErrNobody) {
			t.Errorf("taking it back twice: %v", err)
		}
		for name, c := range map[string]struct {
			name string
			role Role
			want error
		}{
			"an owner": {"carla", Owner, ErrRole}, "a role that is none": {"carla", "king", ErrRole}, "a name that is none": {"<b>", Agent, ErrName}, "somebody who is there": {"anna", Agent, ErrTaken},
		} {
			if _, err := b.Invite("anna", c.name, c.role, "", nil, here); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestInvitationsSurviveARestartAndTheFileOpensNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := claimed(t)
		code, err := b.Invite("anna", "bruno", Agent, "", nil, here)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b.disk), code) {
			t.Error("the file holds the code")
		}
		b.start(time.Now())
		b.full = errors.New("no space left on device")
		_, err = b.Accept(t.Context(), code, invitedPassword, here)
		b.wants("a full disk", err, b.full)
		b.full = nil
		_, err = b.Accept(t.Context(), code, invitedPassword, here)
		b.wants("after the restart", err, nil)
		if got := b.deeds(); !slices.Equal(got, []Deed{DeedClaimed, DeedInvited, DeedAccepted}) {
			t.Errorf("the audit log: %v", got)
		}
	})
}

func TestAnInvitationEndsAfterADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := claimed(t)
		code, err := b.Invite("anna", "bruno", Agent, "", nil, here)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(InviteFor - time.Second)
		if _, err := b.Invited(code, here); err != nil {
			t.Errorf("a second before: %v", err)
		}
		time.Sleep(time.Second)
		if _, err := b.Invited(code, here); !errors.Is(err, ErrInvite) || len(b.Invites()) != 0 {
			t.Errorf("after a day: %v", err)
		}
	})
}

func TestWhoGuessesInvitationsMustWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := claimed(t)
		code, err := b.Invite("anna", "bruno", Agent, "", nil, here)
		if err != nil {
			t.Fatal(err)
		}
		guesser := there
		for range freeTries {
			if _, err := b.Invited("AAAAAAAAAAAAAAAAAAAA", guesser); !errors.Is(err, ErrInvite) {
				t.Fatal(err)
			}
		}
		var soon TooSoonError
		if _, err := b.Invited(code, guesser); !errors.As(err, &soon) {
			t.Errorf("the guesser: %v", err)
		}
		if _, err := b.Invited(code, here); err != nil {
			t.Errorf("somebody else: %v", err)
		}
		time.Sleep(soon.Wait)
		if _, err := b.Invited(code, guesser); err != nil {
			t.Errorf("after the wait: %v", err)
		}
	})
}

func FuzzReadInvite(f *testing.F) {
	f.Add("abcd-efgh ijkl")
	f.Fuzz(func(t *testing.T, typed string) {
		got := readInvite(typed)
		if strings.ContainsAny(got, " -\t\u00a0") || utf8.ValidString(typed) && !utf8.ValidString(got) {
			t.Fatalf("%q gives %q", typed, got)
		}
	})
}
