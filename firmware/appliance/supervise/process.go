package supervise

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pronto-pbx/pronto/firmware/keeper"
	"golang.org/x/sys/unix"
)

// process is one run of a service, with all that it starts.
type process struct {
	cmd    *exec.Cmd
	pid    int
	ended  chan struct{} // closed when the main process has died; it is still a zombie then
	output *os.File
	copied sync.WaitGroup
	family *family
}

// start runs the program in a process group of its own, with the kept sockets from descriptor 3 on.
func (u *unit) start() (*process, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", u.Name, err)
	}
	defer writer.Close()
	cmd := u.command(u.Args, writer)
	p := &process{cmd: cmd, ended: make(chan struct{}), output: reader, family: u.family}

	// The ear checks who speaks against u.pid: it must not look before the number is there.
	u.mu.Lock()
	names, files := u.kept()
	cmd.ExtraFiles = files
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+u.ear.path)
	if len(files) > 0 {
		cmd.Env = append(cmd.Env, "LISTEN_PPID="+strconv.Itoa(os.Getpid()),
			"LISTEN_FDS="+strconv.Itoa(len(files)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
	}
	if u.Watchdog > 0 {
		cmd.Env = append(cmd.Env, "WATCHDOG_USEC="+strconv.FormatInt(u.Watchdog.Microseconds(), 10))
	}
	if err = u.family.start(cmd); err == nil {
		p.pid, u.pid = cmd.Process.Pid, cmd.Process.Pid
		u.status.State, u.status.PID, u.status.Since, u.status.Says = Starting, p.pid, time.Now(), ""
		if !u.Notify {
			u.status.State = Running
		}
	}
	u.mu.Unlock()
	if err != nil && u.Group != nil { // a kernel before 5.7, or a group that is gone
		u.log.Error("service does not begin in its control group, and does without", "err", err)
		u.Group = nil
	}
	if err != nil {
		_ = reader.Close()
		return nil, fmt.Errorf("start %s: %w", u.Name, err)
	}
	u.log.Info("service started", "pid", p.pid, "sockets", len(files))
	go p.await()
	p.copied.Go(func() { u.copyOutput(reader) })
	return p, nil
}

// command is the program, as the service's user, in a process group of its own.
func (u *unit) command(args []string, output *os.File) *exec.Cmd {
	cmd := exec.Command(u.Path, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = u.Dir, output, output
	cmd.Env = slices.Clone(u.Env)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:   true,            // what it starts can be ended with it
		Pdeathsig: syscall.SIGKILL, // should we be killed, nothing stays
	}
	if u.User != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: u.User.UID, Gid: u.User.GID, Groups: u.User.Groups}
		cmd.SysProcAttr.AmbientCaps = u.User.Capabilities
	}
	if u.Group != nil {
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(u.Group.Fd())
	}
	return cmd
}

// tidy runs the program with the arguments of After, to its end or for tidyFor.
func (u *unit) tidy() {
	if len(u.After) == 0 {
		return
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		u.log.Error("nobody puts out what the service left", "error", err)
		return
	}
	cmd := u.command(u.After, writer)
	err = u.family.start(cmd)
	_ = writer.Close()
	if err != nil {
		_ = reader.Close()
		u.log.Error("nobody puts out what the service left", "error", err)
		return
	}
	p := &process{cmd: cmd, pid: cmd.Process.Pid, ended: make(chan struct{}), output: reader, family: u.family}
	go p.await()
	p.copied.Go(func() { u.copyOutput(reader) })
	timer := time.NewTimer(tidyFor)
	defer timer.Stop()
	select {
	case <-p.ended:
	case <-timer.C:
		p.end(unix.SIGKILL, tidyFor)
	}
	if exit, code := p.reap(); code != 0 {
		u.log.Error("what the service left could not be put out", "exit", exit)
	}
}

// kept lists the kept sockets in the order of their names. The caller holds u.mu.
func (u *unit) kept() (names []string, files []*os.File) {
	for name := range u.fds {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		files = append(files, u.fds[name])
		names[i] = keeper.Escape(name)
	}
	return names, files
}

// await closes ended when the process has died, leaving the zombie: as long as that is there, its
// number cannot belong to anybody else and the group can be killed safely.
func (p *process) await() {
	defer close(p.ended)
	for {
		err := unix.Waitid(unix.P_PID, p.pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// end asks the group to end and waits for the main process, at most for grace, then kills it.
func (p *process) end(sig syscall.Signal, grace time.Duration) {
	_ = unix.Kill(-p.pid, sig)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.ended:
	case <-timer.C:
		_ = unix.Kill(-p.pid, unix.SIGKILL)
		<-p.ended
	}
}

// reap kills what is left of the group, takes the exit status and the rest of the output.
func (p *process) reap() (exit string, code int) {
	<-p.ended
	_ = unix.Kill(-p.pid, unix.SIGKILL)
	err := p.family.wait(p.cmd)
	// Only a process that left the group can still hold the pipe; nobody waits for that one.
	_ = p.output.SetReadDeadline(time.Now().Add(time.Second))
	p.copied.Wait()
	_ = p.output.Close()
	if state := p.cmd.ProcessState; state != nil {
		return state.String(), state.ExitCode()
	}
	return fmt.Sprint(err), -1
}

// family knows which children are services, so that the others can be told to be orphans.
type family struct {
	mu   sync.Mutex // held over fork and over the search for orphans: no child is half known
	mine map[int]bool
}

func (f *family) start(cmd *exec.Cmd) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return err
	}
	if f.mine == nil {
		f.mine = map[int]bool{}
	}
	f.mine[cmd.Process.Pid] = true
	return nil
}

func (f *family) wait(cmd *exec.Cmd) error {
	err := cmd.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.mine, cmd.Process.Pid)
	return err
}

// endOrphans kills and reaps children that we did not start: they were left by a service and came
// to us because we are their subreaper. Their own children come next, hence the rounds.
func (f *family) endOrphans() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range 100 {
		orphans := f.orphans()
		if len(orphans) == 0 {
			return
		}
		for _, pid := range orphans {
			_ = unix.Kill(pid, unix.SIGKILL)
			for {
				_, err := unix.Wait4(pid, nil, 0, nil)
				if !errors.Is(err, unix.EINTR) {
					break
				}
			}
		}
	}
}

// orphans lists the processes whose parent we are and that are no service.
func (f *family) orphans() (pids []int) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		// "pid (name) state ppid ...": the name may hold anything, brackets too (proc(5)).
		line := string(text)
		fields := strings.Fields(line[strings.LastIndexByte(line, ')')+1:])
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err == nil && len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid()) && !f.mine[pid] {
			pids = append(pids, pid)
		}
	}
	return pids
}
