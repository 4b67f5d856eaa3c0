package dev.kintsugi.pickle;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.pickle.PickleValue.Bool;
import dev.kintsugi.pickle.PickleValue.Bytes;
import dev.kintsugi.pickle.PickleValue.Call;
import dev.kintsugi.pickle.PickleValue.Dict;
import dev.kintsugi.pickle.PickleValue.Global;
import dev.kintsugi.pickle.PickleValue.Int;
import dev.kintsugi.pickle.PickleValue.None;
import dev.kintsugi.pickle.PickleValue.PersistentId;
import dev.kintsugi.pickle.PickleValue.Real;
import dev.kintsugi.pickle.PickleValue.Sequence;
import dev.kintsugi.pickle.PickleValue.Text;
import dev.kintsugi.pickle.PickleValue.Tuple;
import dev.kintsugi.work.Job;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// The pickle virtual machine without its imports and calls.
///
/// **Errors.** [Fault] `K2201` for damage, `K2202` beyond the limits, `K2203` for an opcode that is not
/// accepted; messages name `place` and the byte offset.
public final class PickleMachine {
    private static final Set<String> ATTRIBUTE = Set.of("builtins.getattr", "__builtin__.getattr");

    /// How many indirect calls are kept.
    public static final int MAX_INDIRECT = 100;

    private final String place;
    private final PickleInput in;
    private final long maxOpcodes = Limit.PICKLE_OPCODES.value();
    private final long maxStack = Limit.PICKLE_STACK.value();
    private final long maxMemo = Limit.PICKLE_MEMO.value();
    private final List<PickleValue> stack = new ArrayList<>();
    private final List<Integer> marks = new ArrayList<>();
    private final Map<Long, PickleValue> memo = new HashMap<>();
    private final Map<Global, Global> globals = new LinkedHashMap<>();
    private final Map<Global, Call> calls = new LinkedHashMap<>();
    private final List<Call> indirect = new ArrayList<>();
    private final Set<PickleValue> called = Collections.newSetFromMap(new IdentityHashMap<>());

    private PickleMachine(String place, byte[] bytes, int start) {
        this.place = place;
        this.in = new PickleInput(place, bytes, start);
    }

    /// What one pickle gives, the offset after its `STOP`, and what Python would have done on the way, also where the
    /// result was thrown away.
    ///
    /// @param globals what it would have imported
    /// @param calls the first call of each of these
    /// @param indirect lookups of attributes, and the first call of each thing that is no global; the first few
    public record Result(
            PickleValue value, int nextOffset, List<Global> globals, Map<Global, Call> calls, List<Call> indirect) {}

    /// Reads the pickle that is all of `bytes`.
    public static PickleValue read(String place, byte[] bytes) {
        return readAll(place, bytes).value();
    }

    /// Reads the pickle that is all of `bytes`, with its calls.
    public static Result readAll(String place, byte[] bytes) {
        Result result = readAt(place, bytes, 0);
        if (result.nextOffset() != bytes.length) {
            throw new Fault(
                    Code.K2201,
                    place + ": " + (bytes.length - result.nextOffset())
                            + " bytes follow the pickle, which ends at byte " + result.nextOffset(),
                    "something was appended to the file; torch would not look at it",
                    "copy the file again, and do not trust it if that does not help");
        }
        return result;
    }

    /// Reads the pickle at `start`.
    public static Result readAt(String place, byte[] bytes, int start) {
        Limit.PICKLE_BYTES.check(bytes.length, Code.K2202, () -> place + ": a pickle of " + bytes.length + " bytes");
        PickleMachine machine = new PickleMachine(place, bytes, start);
        PickleValue value = machine.run();
        return new Result(
                value,
                machine.in.offset(),
                List.copyOf(machine.globals.keySet()),
                Collections.unmodifiableMap(machine.calls),
                List.copyOf(machine.indirect));
    }

    private PickleValue run() {
        long opcodes = 0;
        while (true) {
            if (++opcodes > maxOpcodes) {
                throw beyond(Limit.PICKLE_OPCODES, opcodes + " opcodes");
            }
            if (stack.size() > maxStack || marks.size() > maxStack) {
                throw beyond(Limit.PICKLE_STACK, stack.size() + " values and " + marks.size() + " marks on the stack");
            }
            if (memo.size() > maxMemo) {
                throw beyond(Limit.PICKLE_MEMO, memo.size() + " values in the memo");
            }
            if ((opcodes & 0xffff) == 0) {
                Job.checkCurrent();
            }
            int opcode = in.unsignedByte();
            if (opcode == '.') {
                return last();
            }
            if (!literal(opcode) && !container(opcode) && !memoised(opcode) && !object(opcode)) {
                throw refused(opcode);
            }
        }
    }

    private PickleValue last() {
        PickleValue value = pop();
        if (!stack.isEmpty() || !marks.isEmpty()) {
            throw damaged("STOP with " + stack.size() + " values and " + marks.size() + " marks left over");
        }
        return value;
    }

    private boolean literal(int opcode) {
        switch (opcode) {
            case 'N' -> push(None.INSTANCE);
            case 0x88 -> push(new Bool(true));
            case 0x89 -> push(new Bool(false));
            case 'I' -> push(textInt(in.line()));
            case 'J' -> push(Int.of(in.int32()));
            case 'K' -> push(Int.of(in.unsignedByte()));
            case 'M' -> push(Int.of(in.unsignedShort()));
            case 'L' -> push(new Int(in.textLong()));
            case 0x8a -> push(new Int(in.littleEndian(in.unsignedByte())));
            case 0x8b -> push(new Int(in.littleEndian(in.int32())));
            case 'F' -> push(new Real(in.textDouble()));
            case 'G' -> push(new Real(in.float64BigEndian()));
            case 'S' -> push(new Text(in.quotedLine()));
            case 'T' -> push(new Text(in.utf8(in.int32())));
            case 'U' -> push(new Text(in.utf8(in.unsignedByte())));
            case 'V' -> push(new Text(in.rawUnicodeLine()));
            case 'X' -> push(new Text(in.utf8(in.uint32())));
            case 0x8c -> push(new Text(in.utf8(in.unsignedByte())));
            case 0x8d -> push(new Text(in.utf8(in.int64())));
            case 'B' -> push(new Bytes(in.bytes(in.uint32())));
            case 'C' -> push(new Bytes(in.bytes(in.unsignedByte())));
            case 0x8e, 0x96 -> push(new Bytes(in.bytes(in.int64())));
            case 0x80 -> protocol(in.unsignedByte());
            case 0x95 -> in.frame(in.int64());
            default -> {
                return false;
            }
        }
        return true;
    }

    private boolean container(int opcode) {
        switch (opcode) {
            case '(' -> marks.add(stack.size());
            case '0' -> popOrUnmark();
            case '1' -> popMark();
            case '2' -> push(top());
            case ')' -> push(new Tuple(List.of()));
            case 0x85 -> push(new Tuple(popMany(1)));
            case 0x86 -> push(new Tuple(popMany(2)));
            case 0x87 -> push(new Tuple(popMany(3)));
            case 't' -> push(new Tuple(popMark()));
            case ']' -> push(new Sequence(Sequence.Kind.LIST));
            case 0x8f -> push(new Sequence(Sequence.Kind.SET));
            case 'l' -> push(sequence(Sequence.Kind.LIST, popMark()));
            case 0x91 -> push(sequence(Sequence.Kind.FROZEN_SET, popMark()));
            case 'a' -> append(popMany(1));
            case 'e' -> append(popMark());
            case 0x90 -> add(popMark());
            case '}' -> push(new Dict());
            case 'd' -> {
                List<PickleValue> items = popMark();
                push(new Dict());
                setItems(items);
            }
            case 's' -> setItems(popMany(2));
            case 'u' -> setItems(popMark());
            default -> {
                return false;
            }
        }
        return true;
    }

    private boolean memoised(int opcode) {
        switch (opcode) {
            case 'p' -> memo.put(in.textMemo(), top());
            case 'q' -> memo.put((long) in.unsignedByte(), top());
            case 'r' -> memo.put(in.uint32(), top());
            case 0x94 -> memo.put((long) memo.size(), top());
            case 'g' -> get(in.textMemo());
            case 'h' -> get(in.unsignedByte());
            case 'j' -> get(in.uint32());
            default -> {
                return false;
            }
        }
        return true;
    }

    private boolean object(int opcode) {
        switch (opcode) {
            case 'c' -> push(global(in.line(), in.line()));
            case 0x93 -> {
                List<PickleValue> names = popMany(2);
                push(global(text(names.get(0), "a module name"), text(names.get(1), "a global's name")));
            }
            case 'R', 0x81 -> {
                List<PickleValue> call = popMany(2);
                push(call(call.get(0), call.get(1)));
            }
            case 0x92 -> {
                List<PickleValue> call = popMany(3);
                push(call(call.get(0), new Tuple(call.subList(1, 3))));
            }
            case 'i' -> {
                Global global = global(in.line(), in.line());
                push(call(global, new Tuple(popMark())));
            }
            case 'o' -> {
                List<PickleValue> call = popMark();
                if (call.isEmpty()) {
                    throw damaged("OBJ without a class");
                }
                push(call(call.getFirst(), new Tuple(call.subList(1, call.size()))));
            }
            case 'b' -> build(pop());
            case 'P' -> push(new PersistentId(new Text(in.line())));
            case 'Q' -> push(new PersistentId(pop()));
            default -> {
                return false;
            }
        }
        return true;
    }

    private Call call(PickleValue callable, PickleValue arguments) {
        Call call = new Call(callable, arguments);
        if (callable instanceof Global global && !ATTRIBUTE.contains(global.path())) {
            calls.putIfAbsent(global, call);
        } else if (indirect.size() < MAX_INDIRECT && (callable instanceof Global || called.add(callable))) {
            indirect.add(call);
        }
        return call;
    }

    private void build(PickleValue state) {
        switch (top()) {
            case Call call -> call.states().add(state);
            default -> throw damaged("BUILD on a value that has no state");
        }
    }

    private void append(List<PickleValue> items) {
        switch (top()) {
            case Sequence sequence
            when sequence.kind() == Sequence.Kind.LIST -> sequence.items().addAll(items);
            case Call call -> call.appended().addAll(items);
            default -> throw damaged("APPEND to a value that is no list");
        }
    }

    private void add(List<PickleValue> items) {
        switch (top()) {
            case Sequence sequence
            when sequence.kind() == Sequence.Kind.SET -> sequence.items().addAll(items);
            case Call call -> call.appended().addAll(items);
            default -> throw damaged("ADDITEMS to a value that is no set");
        }
    }

    private void setItems(List<PickleValue> items) {
        if (items.size() % 2 != 0) {
            throw damaged("a dict with a key that has no value");
        }
        Dict target = switch (top()) {
            case Dict dict -> dict;
            case Call call -> call.items();
            default -> throw damaged("SETITEM on a value that is no dict");
        };
        for (int i = 0; i < items.size(); i += 2) {
            target.put(items.get(i), items.get(i + 1));
        }
    }

    private static Sequence sequence(Sequence.Kind kind, List<PickleValue> items) {
        Sequence sequence = new Sequence(kind);
        sequence.items().addAll(items);
        return sequence;
    }

    private Global global(String module, String name) {
        Global global = new Global(module, name);
        Global known = globals.putIfAbsent(global, global);
        return known == null ? global : known;
    }

    private void get(long slot) {
        PickleValue value = memo.get(slot);
        if (value == null) {
            throw damaged("memo slot " + slot + " is read before it is written");
        }
        push(value);
    }

    private PickleValue textInt(String line) {
        return switch (line) {
            case "00" -> new Bool(false);
            case "01" -> new Bool(true);
            default -> new Int(in.number(line));
        };
    }

    private void protocol(int version) {
        if (version > 5) {
            throw damaged("protocol " + version + ", which is not known");
        }
    }

    private String text(PickleValue value, String role) {
        if (value instanceof Text text) {
            return text.value();
        }
        throw damaged(role + " that is no text");
    }

    private void push(PickleValue value) {
        stack.add(value);
    }

    private int floor() {
        return marks.isEmpty() ? 0 : marks.getLast();
    }

    private PickleValue top() {
        if (stack.size() <= floor()) {
            throw damaged("the stack is empty");
        }
        return stack.getLast();
    }

    private PickleValue pop() {
        PickleValue value = top();
        stack.removeLast();
        return value;
    }

    private void popOrUnmark() {
        if (!marks.isEmpty() && stack.size() == marks.getLast()) {
            marks.removeLast();
            return;
        }
        pop();
    }

    private List<PickleValue> popMany(int count) {
        if (stack.size() - count < floor()) {
            throw damaged("the stack holds too few values");
        }
        List<PickleValue> tail = stack.subList(stack.size() - count, stack.size());
        List<PickleValue> values = List.copyOf(tail);
        tail.clear();
        return values;
    }

    private List<PickleValue> popMark() {
        if (marks.isEmpty()) {
            throw damaged("no MARK to go back to");
        }
        int count = stack.size() - marks.getLast();
        List<PickleValue> values = popMany(count);
        marks.removeLast();
        return values;
    }

    private Fault damaged(String what) {
        return in.damaged(what);
    }

    private Fault beyond(Limit limit, String what) {
        return limit.beyond(Code.K2202, place + ": a pickle with " + what + " at byte " + in.offset());
    }

    private Fault refused(int opcode) {
        boolean extension = opcode == 0x82 || opcode == 0x83 || opcode == 0x84;
        boolean buffer = opcode == 0x97 || opcode == 0x98;
        return new Fault(
                Code.K2203,
                place + ": byte 0x" + Integer.toHexString(opcode) + " at offset " + (in.offset() - 1)
                        + (extension
                                ? " is an EXT opcode"
                                : buffer
                                        ? (opcode == 0x97 ? " is NEXT_BUFFER" : " is READONLY_BUFFER")
                                                + ", for bytes outside the pickle"
                                        : " is no pickle opcode"),
                extension || buffer ? "torch writes no such opcode" : "the file is damaged or is no pickle",
                "copy the file again");
    }
}
