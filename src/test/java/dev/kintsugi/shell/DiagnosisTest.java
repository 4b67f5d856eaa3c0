package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.MemoryTensor;
import dev.kintsugi.TorchWriter;
import dev.kintsugi.checkpoint.Piece;
import dev.kintsugi.fault.Status;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What goes wrong with checkpoints, made from good ones, and what the shell says of it.
class DiagnosisTest {
    private static final Path SAMPLE = Path.of("docs", "sample", "actor");

    @TempDir
    Path scratch;

    private final Screen screen = Screen.piped();

    @AfterEach
    void close() {
        screen.close();
    }

    private static Path fixture(String name) {
        return Golden.resource(name);
    }

    private Path copy(Path source, String name) {
        return Broken.copy(source, scratch.resolve(name));
    }

    /// Runs `line`, which must fail with `status` and say all of `parts` on the error stream.
    private void assertFails(Status status, String line, String... parts) {
        assertEquals(status, screen.run(line), () -> screen.out() + screen.err());
        assertSays(screen.err(), parts);
    }

    private static void assertSays(String text, String... parts) {
        for (String part : parts) {
            assertTrue(text.contains(part), () -> "'" + part + "' is not in:\n" + text);
        }
    }

    @Test
    void paddingBehindTheLastRankIsTrimmedAndShown() {
        screen.done("open " + fixture("fsdp/padded_3/ckpt") + " --as padded");
        assertSays(screen.err(), "note: trimmed 45 elements of padding behind the local tensors of 6 tensors");
        assertSays(
                screen.done("placements padded rows.weight --draw"),
                "C  rank 2  rows 8..10, columns 0..5        6",
                "     //////\n",
                "rank 2 has rows 8..10, short of the step by 1; 6 elements of padding behind it, trimmed");
    }

    @Test
    void plainTensorsOfAShardedCheckpointAreNeverConcatenatedBlindly() {
        screen.done("open " + fixture("fsdp/replicate_and_shard1/ckpt") + " --as mixed");
        assertSays(
                screen.err(),
                "4 tensors without placement metadata are equal on all ranks: one copy taken (plain.scalar,",
                "3 tensors without placement metadata differ between ranks: concatenated along dim 0 (plain.rows,");
        assertSays(
                screen.done("explain mixed plain.replicated"),
                "why rank 3: no placement metadata; all ranks hold the same, so one copy is taken; a replica, not"
                        + " read");
        assertSays(screen.done("explain mixed plain.scalar"), "holds", "the value");
    }

    @Test
    void equalShardsStayShards() {
        Path equal = copy(SAMPLE, "equal");
        for (int rank = 0; rank < 4; rank++) {
            Piece piece = Broken.piece(equal, "model.norm.weight", rank);
            byte[] ones = new byte[16];
            for (int i = 0; i < 16; i += 2) {
                ones[i] = (byte) 0x80;
                ones[i + 1] = 0x3f;
            }
            Broken.overwrite(piece.file(), piece.byteOffset(), ones);
        }
        screen.done("open " + equal + " --as equal");
        assertSays(screen.done("placements equal model.norm.weight"), "BF16   [32]          fsdp: Shard(0)  [8] ×4");
        assertSays(screen.done("stats equal model.norm.weight"), "1 tensor, 32 elements: from 1 to 1, mean 1 ± 0");
    }

    @Test
    void oneRankIsACheckpoint() {
        assertSays(
                screen.done("open " + fixture("fsdp/fsdp1_1/ckpt") + " --as one"),
                "FSDP1, 1 rank · 27 tensors",
                "complete");
    }

    @Test
    void meshDimsOfAnyNameAreRead() {
        screen.done("open " + fixture("fsdp/dp_tp_uneven_4x2/ckpt") + " --as grid");
        assertSays(screen.done("mesh grid"), "dp=4 × tp=2", "dp=3 │ 6 │ 7 │");
        assertSays(
                screen.done("explain grid model.embed_tokens.weight"),
                "why rank 7: Shard(0) of 289 over tp=2: step 145, rank 7 (tp=1) has rows 145..288, short of the step"
                    + " by 1; then StridedShard(0, split_factor=2) of 144 over dp=4: step 36, rank 7 (dp=3) has rows"
                    + " 253..288");
    }

    @Test
    void meshesOfAnOldTorchNeedNoTorch() {
        assertSays(
                screen.done("open " + fixture("fsdp/eras_hsdp_2x2/ckpt_torch_2_4") + " --as old"),
                "mesh ddp=2 × fsdp=2",
                "complete");
    }

    @Test
    void withoutFsdpConfigTheNamesTellTheWorldSize() throws IOException {
        Path bare = copy(SAMPLE, "bare");
        Files.delete(bare.resolve("fsdp_config.json"));
        assertSays(screen.done("open " + bare + " --as bare"), "4 ranks", "complete");
        assertSays(screen.err(), "note: fsdp_config.json is missing: world size 4 taken from the file names");
        Files.writeString(bare.resolve("fsdp_config.json"), "{\"world_si");
        assertFails(
                Status.CORRUPT,
                "open " + bare,
                "error[K2305]:",
                "fsdp_config.json: no JSON",
                "why: the job died while it saved",
                "try: remove the file: the world size is then taken from the names of the rank files");
    }

    @Test
    void ranksOfAnotherHostAreMissedAndFound() throws IOException {
        Path one = copy(SAMPLE, "one");
        Path other = Files.createDirectory(scratch.resolve("other"));
        for (int rank = 2; rank < 4; rank++) {
            String name = "model_world_size_4_rank_" + rank + ".pt";
            Files.move(one.resolve(name), other.resolve(name));
        }
        assertFails(
                Status.CORRUPT,
                "open " + one,
                "error[K3001]: world size 4, have ranks 0-1, missing 2-3; model.embed_tokens.weight: the pieces hold"
                        + " 4608 of 9216 elements of [288, 32]",
                "why: those ranks were written on another host, or were not copied",
                "try: copy them here, open several directories at once (open DIR DIR …)");
        assertSays(screen.done("open " + one + " " + other + " --as both"), "4 ranks", "complete");
        assertEquals(Status.CORRUPT, screen.run("doctor " + one));
        assertSays(
                screen.out(),
                "1 error, 0 warnings, 1 note",
                "error[K3001]: world size 4, have ranks 0-1, missing 2-3",
                "note: without ranks 2-3 of 4, 0 tensors can still be read whole, 27 have holes",
                "  try: open " + one + " --allow-missing");
    }

    @Test
    void aMissingFileOfZeroIsNamed() throws IOException {
        Path zero = copy(fixture("deepspeed/zero2_bf16_w2/input"), "zero");
        Files.delete(zero.resolve("global_step2/bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt"));
        assertFails(
                Status.CORRUPT,
                "open " + zero,
                "error[K3001]: 2 ranks share the optimizer's buffers, have ranks 0, missing 1"
                        + " (bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt)",
                "why: those ranks were written on another host, or were not copied",
                "try: copy their *_optim_states.pt here");
    }

    @Test
    void rankElevenIsNotRankOneHundred() throws IOException {
        Path many = Files.createDirectory(scratch.resolve("many"));
        for (int rank = 0; rank < 102; rank++) {
            byte[] value = ByteBuffer.allocate(4)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putFloat(rank)
                    .array();
            TorchWriter.write(
                    many.resolve("model_world_size_102_rank_" + rank + ".pt"),
                    Map.of("rank.weight", new TorchWriter.Tensor(DType.F32, List.of(1L), value, 0)));
        }
        screen.done("open " + many + " --as many");
        assertSays(screen.done("show many rank.weight --slice 9:13"), "[ 9.0, 10.0, 11.0, 12.0]");
        assertSays(screen.done("show many rank.weight --slice 99:"), "[ 99.0, 100.0, 101.0]");
        assertSays(screen.done("show many rank.weight --rank 100"), "[100.0]");
    }

    @Test
    void missingSidecarsAreToldBeforeAnythingIsRead() throws IOException {
        Path alone = copy(SAMPLE, "alone");
        Path sidecars = Broken.copy(alone.resolve("huggingface"), scratch.resolve("elsewhere"));
        try (Stream<Path> files = Files.list(alone.resolve("huggingface"))) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
        assertSays(screen.done("open " + alone + " --as alone"), "no config.json");
        assertFails(
                Status.REFUSED,
                "export alone " + scratch.resolve("out"),
                "error[K4010]: alone: config.json was not found",
                "try: give its directory with --sidecars DIR, or write the names as they are with --keys as-is");
        assertFalse(Files.exists(scratch.resolve("out")));
        assertEquals(Status.DIFFERENT, screen.run("doctor " + alone));
        assertSays(screen.out(), "error[K4010]: config.json: not found beside the checkpoint", "--sidecars DIR");
        assertSays(screen.done("open " + alone + " --sidecars " + sidecars + " --as found"), "complete");
    }

    @Test
    void anAlphaOfZeroIsRefused() {
        Path adapter = copy(fixture("fsdp/lora_4/ckpt"), "adapter");
        Broken.edit(adapter.resolve("lora_train_meta.json"), "\"lora_alpha\": 12", "\"lora_alpha\": 0");
        Broken.edit(adapter.resolve("lora_adapter/adapter_config.json"), "\"lora_alpha\": 12", "\"lora_alpha\": 0");
        screen.done("open " + adapter + " --as adapter");
        assertFails(
                Status.REFUSED,
                "validate adapter",
                "error[K4006]: lora_train_meta.json: lora_alpha is 0, so the adapter would change nothing",
                "why: whoever wrote the file did not know alpha; versions of verl wrote 0",
                "try: give the alpha the adapter was trained with: --lora-alpha N");
        assertFails(Status.REFUSED, "export adapter " + scratch.resolve("out"), "error[K4006]");
        screen.done("validate adapter --lora-alpha 12");
    }

    @Test
    void packedExpertsAreToldByTheirNames() {
        screen.done("open " + fixture("fsdp/moe_2/ckpt") + " --as moe");
        assertSays(
                screen.done("explain moe model.layers.1.mlp.experts.2.up_proj.weight"),
                "  in the files as  model.layers.1.mlp.experts.gate_up_proj",
                "expert 2, part 2 of 2 of model.layers.1.mlp.experts.gate_up_proj",
                "rank 1 has dim 0 2..3");
    }

    @Test
    void aPaddedVocabularyIsToldByItsRows() {
        Path padded = copy(SAMPLE, "vocabulary");
        Broken.edit(padded.resolve("huggingface/config.json"), "\"vocab_size\": 288", "\"vocab_size\": 281");
        screen.run("open " + padded + " --as vocabulary");
        assertEquals(Status.DIFFERENT, screen.run("validate vocabulary"));
        assertSays(
                screen.out(),
                "error     K4004  lm_head.weight",
                "is [288, 32], Qwen2ForCausalLM has [281, 32]: 288 rows, vocab_size in config.json is 281: 7 rows are"
                        + " padding, or tokens added since");
        assertFails(Status.REFUSED, "export vocabulary " + scratch.resolve("out"), "error[K4004]");
    }

    private Path model(String name, Map<String, MemoryTensor> tensors) {
        return Broken.safetensors(scratch.resolve(name + ".safetensors"), tensors);
    }

    private static MemoryTensor matrix(long rows, long columns) {
        double[] values = new double[Math.toIntExact(rows * columns)];
        for (int i = 0; i < values.length; i++) {
            values[i] = i;
        }
        return MemoryTensor.of(DType.F32, Shape.of(rows, columns), values);
    }

    @Test
    void vocabulariesOfTwoSizesAreNeverCutToTheSmaller() {
        Path small = model("small", Map.of("model.embed_tokens.weight", matrix(6, 2)));
        Path large = model("large", Map.of("model.embed_tokens.weight", matrix(9, 2)));
        screen.done("open " + small + " --as small; open " + large + " --as large");
        assertEquals(Status.DIFFERENT, screen.run("diff small large"));
        assertSays(
                screen.out(),
                "small and large: structure differs",
                "  shapes differ: 1",
                "    model.embed_tokens.weight [6, 2] / [9, 2]");
    }

    @Test
    void aMissingHeadIsToldWithTheWayToTieIt() {
        Path model = Broken.copy(SAMPLE.resolve("huggingface"), scratch.resolve("untied"));
        screen.done("open " + SAMPLE + " --as whole");
        Map<String, MemoryTensor> tensors = new LinkedHashMap<>();
        screen.shellModel("whole").tensors().tensors().forEach((name, tensor) -> {
            if (!name.equals("lm_head.weight")) {
                tensors.put(name, new MemoryTensor(tensor.spec(), Golden.bytes(tensor, 1 << 20)));
            }
        });
        Broken.safetensors(model.resolve("model.safetensors"), tensors);
        screen.done("open " + model + " --as untied");
        assertEquals(Status.DIFFERENT, screen.run("validate untied"));
        assertSays(
                screen.out(),
                "K4004  lm_head.weight",
                "missing: Qwen2ForCausalLM needs it; if the head shares the embedding, say --tie-word-embeddings yes");
        screen.done("validate untied --tie-word-embeddings yes");
        assertEquals(Status.DIFFERENT, screen.run("diff untied whole"));
        assertSays(screen.out(), "  only in whole: 1", "    lm_head.weight");
    }

    @Test
    void tensorsOfOneStorageAreTwoNames() throws IOException {
        Path directory = Files.createDirectory(scratch.resolve("shared"));
        byte[] storage = matrix(4, 2).bytes();
        Map<String, Object> tensors = new LinkedHashMap<>();
        tensors.put("embed.weight", new TorchWriter.Tensor(DType.F32, List.of(4L, 2L), storage, 0));
        tensors.put("head.weight", new TorchWriter.Tensor(DType.F32, List.of(4L, 2L), storage, 0));
        TorchWriter.write(directory.resolve("pytorch_model.bin"), tensors);
        screen.done("open " + directory + " --as shared");
        String one = screen.done("explain shared embed.weight --format csv").replaceFirst("why\n.*", "");
        String other = screen.done("explain shared head.weight --format csv").replaceFirst("why\n.*", "");
        assertEquals(one, other);
        screen.done("export shared " + scratch.resolve("out") + " --keys as-is");
        screen.done("open " + scratch.resolve("out") + " --as written");
        assertSays(screen.done("diff shared written"), "equal bit for bit, 2 tensors");
    }

    @Test
    void dtypesAreKeptUnlessAskedAndTheLossIsTold() {
        screen.done("open " + SAMPLE + " --as actor");
        screen.done("export actor " + scratch.resolve("kept"));
        assertSays(screen.done("open " + scratch.resolve("kept") + " --as kept"), "BF16, 71.2 kB");
        screen.done("export actor " + scratch.resolve("wide") + " --dtype f32");
        assertSays(screen.done("open " + scratch.resolve("wide") + " --as wide"), "F32, 142 kB");
        assertSays(screen.done("diff wide actor"), "dtypes differ: F32 / BF16 ×27", "all values equal in 27 tensors");
        screen.done("export wide " + scratch.resolve("narrow") + " --dtype f16");
        assertSays(screen.err(), "note: cast 35,616 values: 0 overflowed");
    }

    @Test
    void aParentOrARankFileLeadsToTheCheckpoint() {
        assertSays(screen.done("open docs/sample --as parent"), "FSDP2, 4 ranks");
        assertSays(screen.done("open " + SAMPLE.resolve("model_world_size_4_rank_2.pt") + " --as file"), "4 ranks");
        assertFails(
                Status.CORRUPT,
                "open src/main/java/dev/kintsugi/shell",
                "error[K2001]: src/main/java/dev/kintsugi/shell: no checkpoint in it or below",
                "why: it holds A",
                "try: give the directory that holds the rank files");
    }

    @Test
    void namesBehindAnotherBeginningAreMatchedWhenAsked() {
        Path bare =
                model("bare", Map.of("encoder.layer.0.weight", matrix(2, 2), "encoder.layer.1.weight", matrix(2, 2)));
        Path wrapped = model(
                "wrapped",
                Map.of("bert.encoder.layer.0.weight", matrix(2, 2), "bert.encoder.layer.1.weight", matrix(2, 2)));
        screen.done("open " + bare + " --as bare; open " + wrapped + " --as wrapped");
        assertEquals(Status.DIFFERENT, screen.run("diff wrapped bare"));
        assertSays(
                screen.out(),
                "  only in wrapped: 2\n    bert.encoder.layer.{0..1}.weight ×2",
                "  2 of them are the same names behind another beginning; compare them with: --map bert.=");
        assertSays(screen.done("diff wrapped bare --map bert.="), "equal bit for bit, 2 tensors");
        assertEquals(Status.DIFFERENT, screen.run("diff bare wrapped"));
        assertSays(screen.out(), "compare them with: --map =bert.");
    }

    @Test
    void packedWeightsAreNoWeights() throws IOException {
        Path packed = Broken.copy(SAMPLE.resolve("huggingface"), scratch.resolve("packed"));
        Broken.safetensors(
                packed.resolve("model.safetensors"), Map.of("model.layers.0.mlp.up_proj.qweight", matrix(4, 4)));
        screen.run("open " + packed + " --as packed");
        assertEquals(Status.DIFFERENT, screen.run("validate packed"));
        assertSays(
                screen.out(),
                "warning   K4014  model.layers.0.mlp.up_proj.qweight",
                "1 tensors hold quantised weights; they can be copied, not computed with");
    }

    @Test
    void whatIsNoSafetensorsFileIsNamed() throws IOException {
        Path file = scratch.resolve("model.safetensors");
        Files.writeString(file, "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 4976698672\n");
        assertFails(
                Status.CORRUPT,
                "open " + file,
                "error[K2003]: model.safetensors: is a Git LFS pointer, not the weights",
                "try: fetch them with: git lfs pull");
        Files.writeString(file, "<!DOCTYPE html><html><title>401 Client Error</title></html>");
        assertFails(
                Status.CORRUPT,
                "open " + file,
                "error[K2003]: model.safetensors: is a web page, not the weights",
                "try: download it again, logged in if it is gated");
        Files.writeString(file, "{\"error\":\"Repository not found\"}");
        assertFails(Status.CORRUPT, "open " + file, "error[K2003]: model.safetensors: is a server's error message");
        Files.write(file, new byte[] {0, 0, 0, 0, 0, 0, 0, 1, '{', '}'});
        assertFails(
                Status.CORRUPT,
                "open " + file,
                "error[K2303]: model.safetensors: says that its header has 72057594037927936 bytes, the limit is");
        Broken.safetensors(file, Map.of("a.weight", matrix(40, 10)));
        Broken.truncate(file, Files.size(file) - 600);
        assertFails(
                Status.CORRUPT,
                "open " + file,
                "error[K2302]: model.safetensors: holds 1,000 bytes of data, its tensors need 1,600: cut short at"
                        + " 62.5 %, within a.weight",
                "why: the file was cut short or is still being written",
                "try: copy it again");
        assertEquals(Status.CORRUPT, screen.run("verify " + file));
        assertSays(screen.out(), "model.safetensors  damaged", "error[K2302]: model.safetensors: holds 1,000 bytes");
    }

    @Test
    void wrapperNamesAreRemovedAndToldOf() {
        Path wrapped = model(
                "wrapped",
                Map.of(
                        "module._fsdp_wrapped_module.model.norm.weight", matrix(2, 2),
                        "module.model._orig_mod.layers.0._fsdp_wrapped_module.weight", matrix(3, 2)));
        screen.done("open " + wrapped + " --as wrapped");
        String listed = screen.done("tensors wrapped");
        assertSays(listed, "model.layers.0.weight", "model.norm.weight");
        assertSays(
                screen.done("explain wrapped model.norm.weight"),
                "  in the files as  module._fsdp_wrapped_module.model.norm.weight",
                "  wrapper prefix removed: model.norm.weight");
    }

    @Test
    void aReplicaThatDriftedIsTold() {
        Path drifted = copy(fixture("fsdp/hsdp_2x2/ckpt"), "drifted");
        Piece piece = Broken.piece(drifted, "model.norm.weight", 3);
        Broken.overwrite(piece.file(), piece.byteOffset(), (byte) 0, (byte) 0x40);
        assertEquals(Status.CORRUPT, screen.run("doctor " + drifted));
        assertSays(screen.out(), "error[K3008]: model.norm.weight:");
        screen.done("open " + drifted + " --as drifted");
        assertEquals(Status.DIFFERENT, screen.run("diff drifted@1 drifted@3"));
        assertSays(screen.out(), "1 of 27 tensors differ", "model.norm.weight          1");
    }

    @Test
    void aMatrixWithoutASpectrumIsLeftOutAndTheOthersAreShown() {
        Path mixed = model(
                "mixed",
                Map.of(
                        "good.weight", matrix(3, 2),
                        "bad.weight", MemoryTensor.of(DType.F32, Shape.of(1, 2), Double.NaN, 1),
                        "none.weight", matrix(0, 2)));
        screen.done("open " + mixed + " --as mixed");
        assertSays(
                screen.done("stats mixed --spectrum"),
                "good.weight",
                "left out: bad.weight: the tensor has elements that are NaN or infinite",
                "left out: none.weight: a spectrum of F32 [0, 2] is not defined");
    }

    @Test
    void piecesOfOneRankHaveOneLetterAndTheRunIsTold() {
        screen.done("open " + fixture("deepspeed/zero3_bf16_w3_tied/input") + " --as zero");
        assertSays(
                screen.done("placements zero model.layers.0.mlp.down_proj.weight --draw"),
                "   6 AAAAAAAAAAAAAAAAAAAAAAAAABBBBBBBBBBBB\n",
                "A: laid out flat, 740 elements over dp=3: rank 0 has elements 0..246; this is rows 0..5, columns 0..36"
                        + " of them\n",
                "B: laid out flat, 740 elements over dp=3: rank 1 has elements 247..493;");
    }

    @Test
    void filesOfOneNameAreToldApartByTheirDirectories() {
        screen.done("open " + fixture("megatron/legacy_qwen3moe_tp2_ep2/input") + " --as legacy");
        assertSays(screen.done("shards legacy"), "mp_rank_00_000/model_optim_rng.pt", "mp_rank_01_001/model_optim_rng");
        assertSays(
                screen.done("explain legacy model.layers.0.input_layernorm.weight"),
                "why rank 1: at pp=0 dp=0 ep=1 tp=1,",
                "not split; a replica, not read");
    }

    @Test
    void twoNamesThatBecomeOneAreRefused() {
        Path twice = model("twice", Map.of("_orig_mod.norm.weight", matrix(2, 2), "norm.weight", matrix(2, 2)));
        screen.run("open " + twice + " --as twice");
        assertSays(screen.err() + screen.out(), "K4013");
    }

    @Test
    void filesThatHoldTheSameNamesAreToldOfOnce() throws IOException {
        Path mixed = Files.createDirectory(scratch.resolve("mixed"));
        Broken.safetensors(mixed.resolve("a.safetensors"), Map.of("norm.weight", matrix(2, 2)));
        Broken.safetensors(mixed.resolve("b.safetensors"), Map.of("norm.weight", matrix(2, 2)));
        assertEquals(Status.DIFFERENT, screen.run("doctor " + mixed));
        assertSays(
                screen.out(),
                "1 error, 0 warnings, 0 notes",
                "error[K4013]: b.safetensors and a.safetensors both hold norm.weight",
                "  why: parts of two saves are mixed, and no index says which to read");
        assertEquals(Status.CORRUPT, screen.run("verify " + mixed));
    }

    @Test
    void anIndexOfAnotherSaveIsTold() throws IOException {
        Path model = Files.createDirectory(scratch.resolve("indexed"));
        Broken.safetensors(model.resolve("model-00001-of-00001.safetensors"), Map.of("norm.weight", matrix(2, 2)));
        Files.writeString(
                model.resolve("model.safetensors.index.json"),
                "{\"weight_map\": {\"norm.bias\": \"model-00001-of-00001.safetensors\"}}");
        assertEquals(Status.CORRUPT, screen.run("verify " + model));
        assertSays(
                screen.out(),
                "error[K2304]: ",
                "model-00001-of-00001.safetensors holds norm.weight, which the index puts in no file",
                "  why: the index is of another save than the files");
        Files.delete(model.resolve("model-00001-of-00001.safetensors"));
        assertEquals(Status.CORRUPT, screen.run("doctor " + model));
        assertSays(screen.out(), "error[K3001]: ", "is missing, though model.safetensors.index.json names it");
    }

    @Test
    void sidecarsThatAreNoneAreTold() throws IOException {
        Path actor = copy(SAMPLE, "sidecars");
        Files.writeString(actor.resolve("huggingface/tokenizer.json"), "version https://git-lfs.github.com/spec/v1\n");
        Files.writeString(actor.resolve("huggingface/chat_template.jinja"), "");
        Files.writeString(actor.resolve("model_world_size_4_rank_3.pt.tmp"), "PK");
        assertEquals(Status.CORRUPT, screen.run("doctor " + actor + " --quick"));
        assertSays(
                screen.out(),
                "2 errors, 1 warning",
                "error[K2003]: tokenizer.json: is a Git LFS pointer, not the file itself",
                "  try: fetch the file with: git lfs pull",
                "error[K2003]: chat_template.jinja: is empty",
                "warning[K2003]: model_world_size_4_rank_3.pt.tmp was left behind by a save or a download that did"
                        + " not");
    }
}
