package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.checkpoint.megatron.MegatronTensor.Part;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Note;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// The copy of a tied embedding that the last pipeline stage of a legacy checkpoint holds as its head.
final class TiedHead {
    private static final String EMBEDDING = "embedding.word_embeddings.weight";
    private static final String HEAD = "output_layer.weight";

    private TiedHead() {}

    /// `tensors` with the copy turned into a replica of the embedding, where the head is tied.
    ///
    /// `copies` says whether this layout writes such copies; torch_dist never does.
    ///
    /// **Errors.** [Fault] `K3101` where config.json and the checkpoint disagree about it.
    static List<MegatronTensor> resolve(
            List<MegatronTensor> tensors, ModelConfig config, TrainingArgs args, boolean copies, List<Note> notes) {
        Optional<MegatronTensor> head = find(tensors, HEAD);
        boolean tied = config.tied().or(args::tied).orElse(head.isEmpty());
        if (args.tied().filter(t -> t != tied).isPresent()) {
            throw contradiction("config.json says tie_word_embeddings is " + tied
                    + ", the checkpoint was trained with the head " + (tied ? "on its own" : "tied to the embedding"));
        }
        if (head.isEmpty()) {
            if (!tied) {
                throw contradiction(
                        "no file holds " + HEAD + ", though config.json says the head is not tied to the embedding");
            }
            return tensors;
        }
        if (!tied || ofValueModel(tensors)) {
            return tensors;
        }
        if (!copies) {
            throw contradiction(
                    "the checkpoint holds " + HEAD + ", though config.json says the head is tied to the embedding");
        }
        notes.add(Note.information(
                head.get().storedName() + " is the last stage's copy of the tied embedding and is left out"));
        return merged(tensors, head.get());
    }

    /// `states`, of which the head's are replicas of the embedding's.
    static List<MegatronTensor> mergeStates(List<MegatronTensor> states) {
        return find(states, HEAD).map(head -> merged(states, head)).orElse(states);
    }

    /// Whether the head among `tensors` is that of a value model: one row, where the embedding has one per
    /// word.
    static boolean ofValueModel(List<MegatronTensor> tensors) {
        return find(tensors, HEAD).filter(TiedHead::hasOneRow).isPresent()
                && find(tensors, EMBEDDING).filter(TiedHead::hasOneRow).isEmpty();
    }

    private static boolean hasOneRow(MegatronTensor tensor) {
        return tensor.spec().shape().ndim() > 0 && tensor.spec().shape().dim(0) == 1;
    }

    private static List<MegatronTensor> merged(List<MegatronTensor> tensors, MegatronTensor head) {
        List<MegatronTensor> merged = new ArrayList<>();
        for (MegatronTensor tensor : tensors) {
            if (tensor.name().equals(EMBEDDING)) {
                if (!tensor.spec().equals(head.spec())) {
                    throw contradiction(EMBEDDING + " is " + tensor.spec() + ", its copy " + head.spec());
                }
                List<Part> parts = new ArrayList<>(tensor.parts());
                head.parts().forEach(p -> parts.add(p.asReplica()));
                merged.add(new MegatronTensor(
                        tensor.name(),
                        tensor.storedName(),
                        tensor.spec(),
                        parts,
                        tensor.meshDims(),
                        tensor.placements()));
            } else if (tensor != head) {
                merged.add(tensor);
            }
        }
        return merged;
    }

    private static Optional<MegatronTensor> find(List<MegatronTensor> tensors, String name) {
        return tensors.stream().filter(t -> t.name().equals(name)).findFirst();
    }

    private static Fault contradiction(String what) {
        return new Fault(
                Code.K3101,
                what,
                "config.json belongs to another model, or files of the last pipeline stage are missing",
                "set tie_word_embeddings in config.json to what the job trained, or copy the missing files");
    }
}
