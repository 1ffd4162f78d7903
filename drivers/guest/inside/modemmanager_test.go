//go:build guest

package inside

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim/farend"
)

// busConfig is a D-Bus system bus for a machine of one user. It starts nothing by itself.
const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_destination="*"/><allow receive_sender="*"/>
  </policy>
</busconfig>
`

// boardRules spare ModemManager half a minute of calling the interface where a real modem would speak AT too.
const boardRules = `SUBSYSTEM=="tty", ENV{ID_USB_INTERFACE_NUM}=="03", ENV{ID_MM_PORT_IGNORE}="1"
`

// daemon starts a program that runs until the test ends, and returns its log.
func daemon(t *testing.T, program string, args ...string) (log string) {
	t.Helper()
	log = filepath.Join(t.TempDir(), filepath.Base(program)+".log")
	f, err := os.Create(log)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = f, f
	must(t, cmd.Start())
	t.Cleanup(func() {
		cancel()
		_, _ = cmd.Wait(), f.Close()
		if t.Failed() {
			b, _ := os.ReadFile(log)
			t.Logf("%s said:\n%s", program, b)
		}
	})
	return log
}

// mmcli asks ModemManager.
func mmcli(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/usr/bin/mmcli", args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// told asks for something that must succeed.
func told(t *testing.T, args ...string) string {
	t.Helper()
	out, err := mmcli(t, args...)
	if err != nil {
		t.Fatalf("mmcli %v: %v\n%s", args, err, out)
	}
	return out
}

// facts asks for an object's properties and waits until they are as wanted.
func facts(t *testing.T, want map[string]string, args ...string) {
	t.Helper()
	var last string
	defer func() {
		if t.Failed() {
			t.Logf("mmcli %v said last:\n%s", args, last)
		}
	}()
	until(t, fmt.Sprintf("%v of mmcli %v", want, args), func() bool {
		said, err := mmcli(t, append(args, "--output-keyvalue")...)
		last = said
		got := map[string]string{}
		for line := range strings.Lines(said) {
			key, value, _ := strings.Cut(line, ":")
			got[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
		for k, v := range want {
			if err != nil || !strings.Contains(got[k], octal(v)) {
				time.Sleep(200 * time.Millisecond) // each question costs as much time as ModemManager's work
				return false
			}
		}
		return true
	})
}

// octal writes the bytes that are not ASCII as mmcli does.
func octal(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c < 0x80 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\%03o`, c)
		}
	}
	return b.String()
}

// object is the number that ModemManager has given to the last of the objects that a list names.
func object(t *testing.T, kind, said string) string {
	t.Helper()
	all := regexp.MustCompile(`/`+kind+`/(\d+)`).FindAllStringSubmatch(said, -1)
	if len(all) == 0 {
		t.Fatalf("no %s in %q", kind, said)
	}
	return all[len(all)-1][1]
}

// manager starts ModemManager and what it needs, and returns when it can be asked.
func manager(t *testing.T) {
	t.Helper()
	must(t, os.MkdirAll("/run/dbus", 0o755))
	must(t, os.WriteFile("/etc/passwd", []byte("root:x:0:0::/:/bin/sh\npolkitd:x:101:101::/:/bin/sh\n"), 0o644))
	must(t, os.WriteFile("/etc/group", []byte("root:x:0:\npolkitd:x:101:\ntty:x:5:\ndialout:x:20:\n"), 0o644))
	must(t, os.WriteFile("/etc/bus.conf", []byte(busConfig), 0o644))
	must(t, os.MkdirAll("/run/udev/rules.d", 0o755))
	must(t, os.WriteFile("/run/udev/rules.d/79-board.rules", []byte(boardRules), 0o644))
	udev(t)
	daemon(t, "/usr/bin/dbus-daemon", "--nofork", "--nopidfile", "--config-file=/etc/bus.conf")
	until(t, "the bus", func() bool { _, err := os.Stat("/run/dbus/system_bus_socket"); return err == nil })
	daemon(t, "/usr/lib/polkit-1/polkitd", "--no-debug")
	daemon(t, "/usr/sbin/ModemManager", "--debug")
	until(t, "ModemManager", func() bool { _, err := mmcli(t, "-L"); return err == nil })
}

// simcom and sim7600 with its interfaces: four of its six, since a gadget of dummy_hcd has no more.
const (
	simcom, sim7600 = 0x1e0e, 0x9001
	sim7600Command  = 2
)

func TestModemManagerTakesTheSimulatedModemForARealOne(t *testing.T) {
	manager(t)
	b := board{newGadget(t, 0, simcom, sim7600, interfaces), sim7600Command, -1}
	far, err := farend.New(gsmsim.Config{IMEI: "860000000000017", RingEvery: time.Second, Ports: b.ports})
	must(t, err)
	defer func() { must(t, far.Close()) }()
	step := func(name string, f func(t *testing.T)) {
		if !t.Failed() { // each step needs the one before
			t.Run(name, f)
		}
	}
	step("it finds the modem, with the ports in their roles", func(t *testing.T) {
		facts(t, map[string]string{"modem-list.value[1]": "/Modem/"}, "-L")
		facts(t, map[string]string{
			"modem.generic.manufacturer": "SIMCOM INCORPORATED", "modem.generic.plugin": "simtech", "modem.3gpp.imei": "860000000000017",
			"modem.generic.drivers.value[1]": "option", "modem.generic.primary-port": "ttyUSB2", "modem.generic.state": "disabled",
		}, "-m", "any")
	})
	step("it puts the modem into service and knows the network", func(t *testing.T) {
		told(t, "-m", "any", "--enable")
		facts(t, map[string]string{
			"modem.generic.state": "registered", "modem.3gpp.registration-state": "home", "modem.3gpp.operator-code": "22201",
			"modem.generic.access-technologies.value[1]": "lte", "modem.generic.signal-quality.value": "64",
		}, "-m", "any")
	})
	step("a message to the modem is received", func(t *testing.T) {
		must(t, far.Deliver("+393331112223", "Perché no? 5 € al mese"))
		facts(t, map[string]string{"modem.messaging.sms.length": "1"}, "-m", "any", "--messaging-list-sms")
		sms := object(t, "SMS", told(t, "-m", "any", "--messaging-list-sms"))
		facts(t, map[string]string{
			"sms.content.number": "+393331112223", "sms.content.text": "Perché no? 5 € al mese", "sms.properties.state": "received",
		}, "-s", sms)
	})
	step("a message of its own is sent", func(t *testing.T) {
		sms := object(t, "SMS", told(t, "-m", "any", "--messaging-create-sms=text='Più tardi',number='+393339998887'"))
		told(t, "-s", sms, "--send")
		if got := far.Texts(); !slices.Equal(got, []string{"+393339998887 Più tardi"}) {
			t.Errorf("the network got %q", got)
		}
	})
	step("a caller is answered, and hung up", func(t *testing.T) {
		must(t, far.Ring("+393331234567"))
		facts(t, map[string]string{"modem.voice.call.length": "1"}, "-m", "any", "--voice-list-calls")
		call := object(t, "Call", told(t, "-m", "any", "--voice-list-calls"))
		facts(t, map[string]string{"call.properties.state": "ringing-in", "call.properties.number": "+393331234567"}, "-o", call)
		told(t, "-o", call, "--accept")
		facts(t, map[string]string{"call.properties.state": "active"}, "-o", call)
		told(t, "-o", call, "--hangup")
		facts(t, map[string]string{"call.properties.state": "terminated"}, "-o", call)
		until(t, "the far end to be free again", func() bool { return errors.Is(far.Hangup(), gsmsim.ErrNoCall) })
	})
	step("a party is dialled, answers, and hangs up", func(t *testing.T) {
		call := object(t, "Call", told(t, "-m", "any", "--voice-create-call=number=+39061234567"))
		told(t, "-o", call, "--start")
		select {
		case n := <-far.Dialed():
			if n != "+39061234567" {
				t.Errorf("dialled %q", n)
			}
		case <-time.After(patience):
			t.Fatal("the network got no call")
		}
		must(t, far.Answer())
		facts(t, map[string]string{"call.properties.state": "active"}, "-o", call)
		must(t, far.Hangup())
		facts(t, map[string]string{"call.properties.state": "terminated"}, "-o", call)
	})
	step("a modem that is pulled out is gone", func(t *testing.T) {
		must(t, far.Unplug())
		until(t, "no modem", func() bool { return strings.Contains(told(t, "-L"), "No modems") })
	})
}
