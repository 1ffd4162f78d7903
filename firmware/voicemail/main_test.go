package voicemail

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/media/wav"
)

// victimEnv makes the test binary play a process that takes messages until it is killed.
const victimEnv = "VOICEMAIL_TEST_VICTIM"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimEnv); dir != "" {
		victim(dir)
	}
	goleak.VerifyTestMain(m)
}

// victim stores messages without end and prints each that it was told is stored. It never returns.
func victim(dir string) {
	die := func(err error) { fmt.Fprintln(os.Stderr, err); os.Exit(3) }
	ahead := make(chan bool, 3) // recordings that are not stored yet
	s, err := Open(Config{Dir: dir, Stored: func(m Message, _ string) { fmt.Println(m.ID, m.From); <-ahead }})
	if err != nil {
		die(err)
	}
	s.Configure([]Settings{{Number: "201"}}, nil)
	for n := 0; ; n++ {
		ahead <- true
		name := fmt.Sprintf("201_v%d-%d_1", os.Getpid(), n)
		if err := speak(s.spool(name), 3*time.Second); err != nil {
			die(err)
		}
		if err := s.Deliver(name, Message{Box: "201", From: "202"}, time.Second); err != nil {
			die(err)
		}
		list, err := s.List("201")
		if err != nil {
			die(err)
		}
		if len(list) > 20 {
			if err := s.Delete("201", list[n%10].ID); err != nil {
				die(err)
			}
			s.tidy(time.Now().Add(2 * undoFor))
		}
	}
}

// speak writes a file as a recorder leaves it that was killed: not by its name, and with a header that
// does not know the length.
func speak(path string, d time.Duration) error {
	h, err := wav.NewHeader(recordingFormat(), 0)
	if err != nil {
		return err
	}
	return os.WriteFile(path+part, append(h[:], make([]byte, 2*8000*d/time.Second)...), 0o600)
}
