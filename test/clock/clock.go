// Package clock gives one process of this machine a wall clock of its own, while
// it runs and whatever it is: the clocks of others, and of the kernel, stay. Its
// monotonic clock goes on, as that of a machine which was suspended does.
//
// Programs read the clock in a page that the kernel maps into them, the vDSO
// (vdso(7)). What Shift changes there are the functions that tell the wall clock:
// they ask the kernel and add an offset. It takes root, and amd64.
package clock

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// function is one of the vDSO, and what stands in for it. The offset, in seconds,
// is the eight bytes after movOffset.
type function struct {
	name string
	code []byte
}

// movOffset is mov r11, imm64: a register that calls may change.
var movOffset = []byte{0x49, 0xbb}

var offset = make([]byte, 8)

// functions are those that tell the wall clock (linux/arch/x86/entry/vdso/vdso.lds.S).
var functions = []function{
	{"__vdso_clock_gettime", bytes.Join([][]byte{
		{0xb8, 228, 0, 0, 0}, {0x0f, 0x05}, // mov eax, SYS_clock_gettime; syscall
		{0x85, 0xff, 0x74, 0x05},              // test edi, edi; jz to the mov: CLOCK_REALTIME
		{0x83, 0xff, 0x05, 0x75, 0x0d},        // cmp edi, CLOCK_REALTIME_COARSE; jne to the ret
		movOffset, offset, {0x4c, 0x01, 0x1e}, // add [rsi], r11
		{0xc3},
	}, nil)},
	{"__vdso_gettimeofday", bytes.Join([][]byte{
		{0xb8, 96, 0, 0, 0}, {0x0f, 0x05}, // mov eax, SYS_gettimeofday; syscall
		{0x48, 0x85, 0xff, 0x74, 0x0d},        // test rdi, rdi; jz to the ret
		movOffset, offset, {0x4c, 0x01, 0x1f}, // add [rdi], r11
		{0xc3},
	}, nil)},
	{"__vdso_time", bytes.Join([][]byte{
		{0xb8, 201, 0, 0, 0}, {0x0f, 0x05}, // mov eax, SYS_time; syscall
		movOffset, offset, {0x4c, 0x01, 0xd8}, // add rax, r11
		{0x48, 0x85, 0xff, 0x74, 0x03}, // test rdi, rdi; jz to the ret
		{0x48, 0x89, 0x07},             // mov [rdi], rax
		{0xc3},
	}, nil)},
}

// jump is jmp rel32.
const jump = 0xe9

// Shift sets the wall clock of the process that far ahead of the machine's, or
// behind it. What the process starts has the machine's.
func Shift(pid int, by time.Duration) error {
	if runtime.GOARCH != "amd64" {
		return fmt.Errorf("shift the clock of process %d: there is no code for %s", pid, runtime.GOARCH)
	}
	if err := shift(pid, int64(by/time.Second)); err != nil {
		return fmt.Errorf("shift the clock of process %d: %w", pid, err)
	}
	return nil
}

func shift(pid int, seconds int64) (err error) {
	start, end, err := find(pid)
	if err != nil {
		return err
	}
	memory, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, memory.Close()) }()
	image := make([]byte, end-start)
	if _, err := memory.ReadAt(image, start); err != nil {
		return err
	}
	file, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return err
	}
	symbols, err := file.DynamicSymbols()
	if err != nil {
		return err
	}
	// What stands in is at the end of the last page, where the kernel has zeros.
	place := int64(len(image))
	for _, f := range functions {
		place -= int64(len(f.code)+15) / 16 * 16
		entry := int64(-1)
		for _, s := range symbols {
			if s.Name == f.name {
				entry = int64(s.Value)
			}
		}
		if entry < 0 {
			continue // nor can programs call it
		}
		head := bytes.Clone(image[entry : entry+8]) // written at once
		head[0] = jump
		binary.LittleEndian.PutUint32(head[1:], uint32(place-entry-5))
		taken := bytes.Trim(image[place:place+int64(len(f.code))], "\x00")
		if !bytes.HasPrefix(image[entry:], head[:5]) && len(taken) > 0 {
			return fmt.Errorf("there is no room at the end of its vDSO for %s", f.name)
		}
		code := bytes.Clone(f.code)
		binary.LittleEndian.PutUint64(code[bytes.Index(code, movOffset)+len(movOffset):], uint64(seconds))
		// The code first: others may be calling.
		if _, err := memory.WriteAt(code, start+place); err != nil {
			return err
		}
		if _, err := memory.WriteAt(head, start+entry); err != nil {
			return err
		}
	}
	return nil
}

// find returns where the process has its vDSO (proc_pid_maps(5)).
func find(pid int) (start, end int64, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(maps)) {
		if strings.HasSuffix(strings.TrimSpace(line), "[vdso]") {
			_, err = fmt.Sscanf(line, "%x-%x", &start, &end)
			return start, end, err
		}
	}
	return 0, 0, errors.New("it has no vDSO")
}
