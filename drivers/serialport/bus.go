package serialport

import (
	"io"
	"time"
)

// Stream is a Port whose reads are bounded too, as audio needs: a modem that sends nothing must not keep
// its reader from a stop.
type Stream interface {
	Port
	// SetReadDeadline bounds all later reads, as net.Conn does.
	SetReadDeadline(time.Time) error
}

// Bus is where a driver finds the ports that it opens by name.
type Bus interface {
	// OpenCommand opens a port that speaks AT commands. Errors are ErrMissing, ErrInUse or the bus's own.
	OpenCommand(name string) (Port, error)
	// OpenAudio opens a port of raw samples, with the same errors.
	OpenAudio(name string) (Stream, error)
}

var (
	_ io.ReadWriteCloser = Port(nil)
	_ Port               = (*Command)(nil)
	_ Stream             = (*Audio)(nil)
	_ Bus                = Nodes{}
)

// Nodes is the bus of the machine's own device nodes.
type Nodes struct {
	Baud int // of UART modems; USB modems ignore it
}

// OpenCommand opens the node and raises DTR, which most modems want before they speak. Many ports have no
// such line; a modem that misses it stays mute, and that is noticed anyway.
func (n Nodes) OpenCommand(name string) (Port, error) {
	c, err := OpenCommand(name, n.Baud)
	if err != nil {
		return nil, err
	}
	_ = c.SetDTR(true)
	return c, nil
}

// OpenAudio opens the node.
func (n Nodes) OpenAudio(name string) (Stream, error) {
	a, err := OpenAudio(name)
	if err != nil {
		return nil, err
	}
	return a, nil
}
