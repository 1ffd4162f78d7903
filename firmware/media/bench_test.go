package media

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/codec/opus"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
)

const (
	benchCalls  = 500
	benchTime   = 5 * time.Second
	generateEnv = "PRONTO_MEDIA_GENERATOR" // the test binary starts itself with it as the generator
	generatorIP = "127.0.0.40"
	lateTime    = 5 * time.Second // the generator waits at most so long for what is still under way
)

// plan is what the benchmark tells the generator: for each of its sockets the box's port. Sockets 2n and
// 2n+1 hear each other, or Mixed says that there are no such pairs, and so no delays.
type plan struct {
	Ports    []uint16
	PT       []uint8     // which names the codec too
	Suite    []sdp.Suite // of each socket; its key is benchKey
	Mixed    bool
	Duration time.Duration
}

// benchKey is the key of all streams of a suite, both ways: every direction has its own context.
func benchKey(s sdp.Suite) sdp.Crypto {
	if s == sdp.NoSuite {
		return sdp.Crypto{}
	}
	return suiteKey(s, 7)
}

// outcome is what the generator measured.
type outcome struct {
	Sent, Received int
	P50, P99, Max  time.Duration // from before sendto to the kernel's receive stamp

	// What the generator does not know of the box: ms of CPU per second of a call, KB of memory per call.
	CPU, Memory float64 `json:"-"`
}

// cost reports what the calls have cost the box.
func (o outcome) cost(b *testing.B) {
	b.ReportMetric(o.CPU, "cpu-ms/call-s")
	b.ReportMetric(o.Memory, "KB/call")
}

// BenchmarkRelay500 relays 500 G.711 calls, 50 packets per second each way. The phones are a
// process of their own, so that the CPU time of this process is the engine's, and delays end at
// the kernel's receive stamp, so that a late generator is not counted as a late box.
func BenchmarkRelay500(b *testing.B) {
	for b.Loop() {
		benchRelay(b, benchCalls, sdp.NoSuite, sdp.NoSuite)
	}
}

// BenchmarkRelaySecret relays 250 calls whose one or both sides are encrypted, and as many plain ones
// to compare with: figures of one run only.
func BenchmarkRelaySecret(b *testing.B) {
	for _, c := range []struct {
		name string
		x, y sdp.Suite
	}{
		{"plain-plain", sdp.NoSuite, sdp.NoSuite},
		{"plain-AES_CM_128_SHA1_80", sdp.NoSuite, sdp.AESCM128SHA80},
		{"both-AES_CM_128_SHA1_80", sdp.AESCM128SHA80, sdp.AESCM128SHA80},
		{"both-AEAD_AES_128_GCM", sdp.AEADAES128GCM, sdp.AEADAES128GCM},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				benchRelay(b, benchCalls/2, c.x, c.y)
			}
		})
	}
}

func benchRelay(b *testing.B, calls int, x, y sdp.Suite) {
	benchCall(b, calls, codec.PCMA, codec.PCMA, x, y)
}

func benchCall(b *testing.B, calls int, m, n codec.ID, x, y sdp.Suite) {
	o := benchBridges(b, calls, m, n, x, y)
	o.cost(b)
	if o.Received != o.Sent {
		b.Errorf("%d of %d packets were lost", o.Sent-o.Received, o.Sent)
	}
	b.ReportMetric(float64(o.Sent-o.Received), "lost")
	b.ReportMetric(float64(o.Sent)/benchTime.Seconds(), "packets/s")
	b.ReportMetric(o.P50.Seconds()*1000, "p50-ms")
	b.ReportMetric(o.P99.Seconds()*1000, "p99-ms")
	b.ReportMetric(o.Max.Seconds()*1000, "max-ms")
}

// BenchmarkFloor500 carries the packets of BenchmarkRelay500 with nothing but the system calls:
// what the relay costs above it is ours. Compare figures of one run only.
func BenchmarkFloor500(b *testing.B) {
	for b.Loop() {
		floorBench(b, benchCalls)
	}
}

func floorBench(b *testing.B, calls int) {
	gen := startGenerator(b, 2*calls)
	loops := [2]*loop{}
	socks := make([]*socket, 2*calls)
	to := make([]address, 2*calls)
	p := plan{Duration: benchTime}
	for i := range loops {
		l, err := newLoop(&Engine{})
		if err != nil {
			b.Fatal(err)
		}
		loops[i] = l
	}
	for i := range socks {
		s, err := openSocket(netip.MustParseAddr(boxAddr), uint16(26000+2*i))
		if err != nil {
			b.Fatal(err)
		}
		socks[i] = s
		to[i^1] = s.address(netip.AddrPortFrom(netip.MustParseAddr(generatorIP), gen.ports[i^1]))
		p.Ports, p.PT, p.Suite = append(p.Ports, s.port), append(p.PT, 8), append(p.Suite, sdp.NoSuite)
		e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(firstLegSlot + i)}
		if err := unix.EpollCtl(loops[i/2%2].epfd, unix.EPOLL_CTL_ADD, s.fd, &e); err != nil {
			b.Fatal(err)
		}
	}
	var running sync.WaitGroup
	for _, l := range loops {
		running.Go(func() {
			for !l.stopping.Load() {
				n, err := l.wait()
				if err != nil {
					return
				}
				for _, e := range l.events[:n] {
					i := int(e.Fd) - firstLegSlot
					if i < 0 {
						continue // the signal to stop
					}
					if size, errno := socks[i].receive(l.buf[:], &l.from); errno == 0 {
						socks[i^1].send(l.buf[:size], &to[i^1])
					}
				}
			}
		})
	}
	cpu := cpuTime(b)
	o := gen.run(b, p)
	cpu = cpuTime(b) - cpu
	for _, l := range loops {
		l.stop()
	}
	running.Wait()
	for _, l := range loops {
		l.release()
	}
	for _, s := range socks {
		s.close()
	}
	b.ReportMetric(o.P99.Seconds()*1000, "p99-ms")
	b.ReportMetric(float64(cpu)/float64(time.Millisecond)/(float64(calls)*benchTime.Seconds()), "cpu-ms/call-s")
}

// BenchmarkTranscode joins 100 calls of two codecs, and as many of one to compare with.
func BenchmarkTranscode(b *testing.B) {
	benchTranscode(b, 100)
	b.Run("PCMA-opus", func(b *testing.B) { // fewer, since no board is meant to carry a hundred
		for b.Loop() {
			benchCall(b, opusPerCore*runtime.NumCPU(), codec.PCMA, codec.Opus, sdp.NoSuite, sdp.NoSuite)
		}
	})
}

// BenchmarkTranscode600 is the same with as many calls as must pass without loss.
func BenchmarkTranscode600(b *testing.B) { benchTranscode(b, 600) }

func benchTranscode(b *testing.B, calls int) {
	for _, id := range []codec.ID{codec.PCMA, codec.PCMU, codec.G722} {
		b.Run("PCMA-"+id.Name(), func(b *testing.B) {
			for b.Loop() {
				benchCall(b, calls, codec.PCMA, id, sdp.NoSuite, sdp.NoSuite)
			}
		})
	}
}

// benchBridges carries calls between phones of two codecs and suites. What joined does with each costs too.
func benchBridges(b *testing.B, calls int, x, y codec.ID, sx, sy sdp.Suite, joined ...func(e *Engine, x, y *Leg)) outcome {
	gen := startGenerator(b, 2*calls)
	e := startEngine(b, 26000, 26000+8*calls, nil)
	before := memory()
	p := plan{Duration: benchTime}
	legs := make([]*Leg, 0, 2*calls)
	for i := range 2 * calls {
		g, err := e.Open(LegConfig{Lock: true})
		if err != nil {
			b.Fatal(err)
		}
		id := [...]codec.ID{x, y}[i%2]
		m := sdp.Media{Codec: id, SendPT: id.PayloadType(), RecvPT: id.PayloadType(), EventSendPT: 101, EventRecvPT: 101, Ptime: 20}
		m.Remote = netip.AddrPortFrom(netip.MustParseAddr(generatorIP), gen.ports[i])
		suite := [...]sdp.Suite{sx, sy}[i%2]
		m.SendKey, m.RecvKey = benchKey(suite), benchKey(suite)
		if err := g.Configure(m); err != nil {
			b.Fatal(err)
		}
		port, _ := g.Ports()
		p.Ports, p.PT, p.Suite = append(p.Ports, port), append(p.PT, m.RecvPT), append(p.Suite, suite)
		legs = append(legs, g)
		if i%2 == 1 {
			if err := e.Bridge(legs[i-1], g); err != nil {
				b.Fatal(err)
			}
			for _, do := range joined {
				do(e, legs[i-1], g)
			}
		}
	}
	cpu := cpuTime(b)
	o := gen.run(b, p)
	cpu = cpuTime(b) - cpu
	after := memory()
	for _, g := range legs {
		g.Close()
	}
	if err := e.Close(); err != nil {
		b.Error(err)
	}
	seconds := float64(calls) * benchTime.Seconds()
	if o.Sent < calls*90*int(benchTime/time.Second) {
		b.Errorf("the generator sent only %d packets: it could not keep up, the figures say nothing", o.Sent)
	}
	o.CPU = float64(cpu) / float64(time.Millisecond) / seconds
	o.Memory = float64(after-before) / 1024 / float64(calls)
	return o
}

// memory is the resident set in bytes after a collection that gives unused pages back.
func memory() int64 {
	debug.FreeOSMemory() // what an earlier benchmark left must not hide what this one takes
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident int64
	_, _ = fmt.Sscan(string(b), &size, &resident)
	return resident * int64(os.Getpagesize())
}

func cpuTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// generator is the child process that plays the phones.
type generator struct {
	in    io.WriteCloser
	out   *bufio.Reader
	ports []uint16
}

func startGenerator(b *testing.B, sockets int) *generator {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", generateEnv, sockets))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	g := &generator{in: in, out: bufio.NewReader(out)}
	b.Cleanup(func() {
		_ = in.Close() // it ends with its input
		if err := cmd.Wait(); err != nil {
			b.Errorf("generator: %v", err)
		}
	})
	g.read(b, &g.ports)
	return g
}

func (g *generator) read(b *testing.B, v any) {
	b.Helper()
	line, err := g.out.ReadBytes('\n')
	if err != nil {
		b.Fatalf("generator: %v", err)
	}
	if err := json.Unmarshal(line, v); err != nil {
		b.Fatal(err)
	}
}

func (g *generator) run(b *testing.B, p plan) (o outcome) {
	b.Helper()
	if err := json.NewEncoder(g.in).Encode(p); err != nil {
		b.Fatal(err)
	}
	g.read(b, &o)
	return o
}

// generate is the main function of the child.
func generate(sockets string) error {
	var n int
	if _, err := fmt.Sscan(sockets, &n); err != nil {
		return err
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	var socks []*socket
	var ports []uint16
	for i := range n {
		s, err := openSocket(netip.MustParseAddr(generatorIP), 0)
		if err != nil {
			return err
		}
		local, err := unix.Getsockname(s.fd)
		if err != nil {
			return err
		}
		if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
			return err
		}
		if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, s.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}); err != nil {
			return err
		}
		socks = append(socks, s)
		ports = append(ports, uint16(local.(*unix.SockaddrInet4).Port))
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(ports); err != nil {
		return err
	}
	var p plan
	if err := json.NewDecoder(os.Stdin).Decode(&p); err != nil {
		return err
	}
	ciphers, in, err := benchContexts(p)
	if err != nil {
		return err
	}
	times := make([][]atomic.Int64, n)
	for i := range times {
		times[i] = make([]atomic.Int64, p.Duration/tick+1)
	}
	type heard struct {
		packets int
		delays  []time.Duration
	}
	all := make(chan heard)
	var expected atomic.Int64
	go func() {
		packets, delays := collect(epoll, socks, in, p, times, &expected)
		all <- heard{packets, delays}
	}()
	sent, err := spray(socks, p, ciphers, times)
	if err != nil {
		return err
	}
	expected.Store(int64(sent))
	h := <-all
	got := h.delays
	slices.Sort(got)
	o := outcome{Sent: sent, Received: h.packets}
	if len(got) > 0 {
		o.P50, o.P99, o.Max = got[len(got)/2], got[len(got)*99/100], got[len(got)-1]
	}
	return out.Encode(o)
}

// spray sends a packet of speech per socket and 20 ms, spread over the 20 ms as independent phones are,
// and notes when.
func spray(socks []*socket, p plan, ciphers []*srtp.Context, times [][]atomic.Int64) (sent int, err error) {
	var header rtp.Header
	sealed := make([]byte, maxPacket)
	to := make([]address, len(socks))
	for i, s := range socks {
		to[i] = s.address(netip.AddrPortFrom(netip.MustParseAddr(boxAddr), p.Ports[i]))
	}
	speech := map[uint8][][]byte{}
	for _, pt := range p.PT {
		if speech[pt] == nil {
			if speech[pt], err = benchSpeech(pt); err != nil {
				return 0, err
			}
		}
	}
	room := make([]byte, maxPacket)
	group := (len(socks) + 19) / 20
	begin := time.Now()
	for slot := 0; ; slot++ {
		due := time.Duration(slot) * time.Millisecond
		if due >= p.Duration {
			return sent, nil
		}
		time.Sleep(due - time.Since(begin))
		frame := slot / 20
		for i := slot % 20 * group; i < min((slot%20+1)*group, len(socks)); i++ {
			ticks := frameSamples
			if p.PT[i] == codec.Opus.PayloadType() {
				ticks *= opusTicks
			}
			putHeader(room, p.PT[i], frame == 0, uint16(frame), uint32(ticks*frame), uint32(i))
			said := speech[p.PT[i]]
			b := room[:headerSize+copy(room[headerSize:], said[(frame+7*i)%len(said)])] // nobody says the same
			packet := b
			if ciphers[i] != nil {
				var err error
				if packet, err = ciphers[i].EncryptRTP(sealed[:0], b, &header); err != nil {
					continue
				}
			}
			times[i][frame].Store(time.Now().UnixNano())
			if socks[i].send(packet, &to[i]) == 0 {
				sent++
			}
		}
	}
}

// benchSpeech is speech in the codec of a payload type of ours, in packets of 20 ms.
func benchSpeech(pt uint8) (packets [][]byte, err error) {
	raw, err := os.ReadFile("codec/testdata/speech16.raw")
	if err != nil {
		return nil, err
	}
	pcm := make([]int16, len(raw)/4)
	for i := range pcm { // every second sample will do
		pcm[i] = int16(binary.LittleEndian.Uint16(raw[4*i:]))
	}
	encode := opus.NewEncoder(0, false).Encode
	if id, ok := codec.ByStaticPayloadType(pt); ok {
		encode = codec.NewEncoder(id).Encode
	}
	for ; len(pcm) >= frameSamples; pcm = pcm[frameSamples:] {
		packet := make([]byte, maxPacket)
		packets = append(packets, packet[:encode(packet, pcm[:frameSamples])])
	}
	return packets, nil
}

// collect receives until all that were sent are there and returns how many came and how long each took:
// a relay keeps the distances of sequence numbers, and the first packet is the partner's first. It gives
// up when nothing comes for lateTime. It sleeps instead of waiting for packets: on loopback
// the sender pays for waking the receiver, which no network would charge to the box. The kernel's
// stamps make the delays right all the same.
func collect(epoll int, socks []*socket, ciphers []*srtp.Context, p plan, times [][]atomic.Int64, expected *atomic.Int64) (packets int, delays []time.Duration) {
	var header rtp.Header
	opened := make([]byte, maxPacket)
	delays = make([]time.Duration, 0, 1<<20)
	first := make([]uint16, len(socks))
	begun := make([]bool, len(socks))
	events := make([]unix.EpollEvent, 256)
	payload, oob := make([]byte, 2000), make([]byte, 128)
	iov := unix.Iovec{Base: &payload[0]}
	iov.SetLen(len(payload))
	last := time.Now()
	for time.Since(last) < lateTime {
		n, err := unix.EpollWait(epoll, events, 0)
		if err != nil || n == 0 {
			if all := expected.Load(); all > 0 && int64(packets) >= all {
				break
			}
			time.Sleep(2 * time.Millisecond)
			continue
		}
		last = time.Now()
		for _, e := range events[:n] {
			msg := unix.Msghdr{Iov: &iov, Control: &oob[0]}
			msg.SetControllen(len(oob))
			msg.SetIovlen(1)
			got, _, errno := syscall.RawSyscall(unix.SYS_RECVMSG, uintptr(socks[e.Fd].fd), uintptr(unsafe.Pointer(&msg)), unix.MSG_DONTWAIT)
			if errno != 0 || got <= headerSize || payload[1] >= rtcpSR && payload[1] <= rtcpSR+4 {
				continue // a report of the box
			}
			packet := payload[:got]
			if c := ciphers[e.Fd]; c != nil {
				if packet, err = c.DecryptRTP(opened[:0], packet, &header); err != nil {
					continue
				}
			}
			packets++
			if p.Mixed {
				continue
			}
			seq := binary.BigEndian.Uint16(packet[2:])
			if !begun[e.Fd] {
				begun[e.Fd], first[e.Fd] = true, seq
			}
			// The only control message is the stamp: a header and a timespec.
			stamp := (*unix.Timespec)(unsafe.Pointer(&oob[unix.CmsgLen(0)]))
			sent := times[e.Fd^1][int(seq-first[e.Fd])%len(times[e.Fd^1])].Load()
			delays = append(delays, time.Duration(stamp.Nano()-sent))
		}
	}
	return packets, delays
}

// benchContexts makes what each socket of the generator encrypts and decrypts with.
func benchContexts(p plan) (out, in []*srtp.Context, err error) {
	out, in = make([]*srtp.Context, len(p.Suite)), make([]*srtp.Context, len(p.Suite))
	for i, s := range p.Suite {
		if s == sdp.NoSuite {
			continue
		}
		for _, c := range []*[]*srtp.Context{&out, &in} {
			if (*c)[i], err = newContext(benchKey(s)); err != nil {
				return nil, nil, err
			}
		}
	}
	return out, in, nil
}

func runGenerator() int {
	sockets := os.Getenv(generateEnv)
	if err := generate(strings.TrimSpace(sockets)); err != nil {
		fmt.Fprintln(os.Stderr, "generator:", err)
		return 1
	}
	return 0
}
