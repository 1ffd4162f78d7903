// Package confine takes from a program of the box what it does not need: system calls (seccomp), files and
// abstract sockets of others (Landlock), new privileges, memory pictures and unlimited resources.
//
// It is done twice. On a box the first program starts each service by Enter and execve, so that the walls
// stand before the service's first instruction and hold for whatever lies in its place. Each program then
// calls Myself, which also takes execve away, and is all that protects it on a machine of somebody else.
package confine
