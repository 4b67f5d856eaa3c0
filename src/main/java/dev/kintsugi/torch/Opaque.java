package dev.kintsugi.torch;

import dev.kintsugi.pickle.PickleMachine;
import dev.kintsugi.pickle.PickleValue.Call;
import dev.kintsugi.pickle.PickleValue.Global;
import dev.kintsugi.pickle.PickleValue.Text;
import dev.kintsugi.pickle.PickleValue.Tuple;
import dev.kintsugi.work.Job;
import dev.kintsugi.work.Remark;
import java.util.ArrayList;
import java.util.List;

/// What a pickle would have Python do beyond making the tensors, dicts and settings that torch and the frameworks
/// over it save. None of it is done here.
///
/// An import counts though nothing is called: a known function may be given any other to call.
public final class Opaque {
    private Opaque() {}

    /// It, as a person reads it: `posix.system("id")`, or `posix.system` where that is only named.
    public static List<String> in(PickleMachine.Result pickle) {
        List<String> opaque = new ArrayList<>();
        for (Global global : pickle.globals()) {
            if (!KnownGlobals.contains(global)) {
                Call call = pickle.calls().get(global);
                opaque.add(call == null ? Pickled.shortened(global.path()) : Pickled.describeCall(call));
            }
        }
        for (Call call : pickle.indirect()) {
            if (!isGroupState(call) && !(call.callable() instanceof Call inner && isGroupState(inner))) {
                opaque.add(Pickled.describeCall(call));
            }
        }
        if (pickle.indirect().size() == PickleMachine.MAX_INDIRECT) {
            opaque.add("calls of what calls give, " + PickleMachine.MAX_INDIRECT + " and more");
        }
        return opaque;
    }

    /// The one attribute that torch looks up: the class of a part of each `ShardedTensor`.
    private static boolean isGroupState(Call call) {
        return call.callable() instanceof Global
                && call.arguments() instanceof Tuple tuple
                && tuple.items().size() == 2
                && tuple.items().get(0) instanceof Global type
                && type.path().equals("torch.distributed._shard.sharded_tensor.api.ShardedTensor")
                && tuple.items().get(1) instanceof Text name
                && name.value().equals("ProcessGroupState");
    }

    /// Tells the job at work of it.
    public static void remark(PickleMachine.Result pickle) {
        in(pickle).forEach(what -> Job.remark(Remark.OPAQUE_CALL, what));
    }
}
