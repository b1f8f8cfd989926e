"""Sequence to Sequence: translates a sequence of tokens into another by an encoder, a decoder and attention."""

from algoport.algorithms.contract import Algorithm, Answer, Channel, Column, Field, Metric

_RECORDIO = "application/x-recordio-protobuf"
_TYPES = ("application/json", _RECORDIO, "application/jsonlines")


def _pairs(name: str, meaning: str) -> Channel:
    return Channel(
        name=name,
        meaning=meaning,
        required=True,
        kind="sequences",
        content_types=(_RECORDIO, "application/jsonlines"),
        default_content_type=_RECORDIO,
    )


ALGORITHM = Algorithm(
    name="seq2seq",
    title="Sequence to Sequence",
    summary="Learns from pairs of token sequences to turn the one into the other: an encoder, a decoder with "
    "attention, and beam search; recurrent or convolutional.",
    problem="translation, summarization, any sequence transduction",
    source="Bahdanau, Cho and Bengio, Neural Machine Translation by Jointly Learning to Align and Translate, ICLR "
    "2015; Luong, Pham and Manning, Effective Approaches to Attention-based Neural Machine Translation, EMNLP 2015; "
    "Gehring et al., Convolutional Sequence to Sequence Learning, ICML 2017; Hieber et al., Sockeye, 2017",
    channels=(
        _pairs("train", "pairs of sentences as token ids, source and target, to learn from"),
        _pairs("validation", "such pairs, by which checkpoints are judged: the best one becomes the model"),
        Channel(
            name="vocab",
            meaning="vocab.src.json and vocab.trg.json, each an object from token to id; ids 0 to 3 are <pad>, <unk>, "
            "<s> and </s>",
            required=True,
            kind="file",
            content_types=("application/json",),
            default_content_type="application/json",
        ),
    ),
    fields=(
        Field(name="source", meaning="ids of the source sentence's tokens"),
        Field(name="target", meaning="ids of the target sentence's tokens, without <s> and </s>"),
    ),
    metrics=(
        Metric(
            name="validation:accuracy",
            goal="maximize",
            kind="score",
            meaning="share of the validation targets' tokens that are the likeliest, at a checkpoint",
            epochs=True,
        ),
        Metric(
            name="validation:bleu",
            goal="maximize",
            kind="score",
            meaning="BLEU from 0 to 1 of beam search on the validation pairs that bleu_sample_size names",
            epochs=True,
        ),
        Metric(
            name="validation:perplexity",
            goal="minimize",
            meaning="exponential of the cross entropy of a token of the validation targets, at a checkpoint",
            epochs=True,
        ),
    ),
    answer=Answer(
        kind="sequences",
        columns=(
            Column(
                name="target",
                meaning="the target sentence, its tokens with a blank between two; in RecordIO their ids",
                number="json",
            ),
            Column(
                name="matrix",
                meaning="where attention_matrix asks for it, for each token of the target "
                "the weight of each token of the source",
                number="json",
                optional=True,
            ),
            Column(
                name="tokens_left_out",
                meaning="of a source beyond max_seq_len_source, how many of its tokens were not read; in JSON alone",
                number="json",
                optional=True,
            ),
        ),
        accepts=_TYPES,
        responses=_TYPES,
    ),
    log_name="AWS/Seq2Seq",
    gpu=True,
)
