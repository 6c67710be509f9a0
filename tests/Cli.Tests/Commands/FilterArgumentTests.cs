using Embeddings.Cli.Filtering;
using Embeddings.V1;

namespace Embeddings.Cli.Tests.Commands;

public sealed class FilterArgumentTests
{
    [Theory]
    [InlineData("tag=red", """{"attributes":[{"key":"tag","text":"red"}]}""")]
    [InlineData(" tag = red ", """{"attributes":[{"key":"tag","text":"red"}]}""")]
    [InlineData("tag!=red", """{"not":[{"attributes":[{"key":"tag","text":"red"}]}]}""")]
    [InlineData("tag=\"a b\"", """{"attributes":[{"key":"tag","text":"a b"}]}""")]
    [InlineData("tag='say \\'hi\\' \\\\'", """{"attributes":[{"key":"tag","text":"say 'hi' \\"}]}""")]
    [InlineData("tag=\"\"", """{"attributes":[{"key":"tag","text":""}]}""")]
    [InlineData("tag in (red, \"dark blue\")", """{"attributes":[{"key":"tag","textIn":{"values":["red","dark blue"]}}]}""")]
    [InlineData("tag not in (red)", """{"not":[{"attributes":[{"key":"tag","textIn":{"values":["red"]}}]}]}""")]
    [InlineData("n in (1,2.5)", """{"attributes":[{"key":"n","numberIn":{"values":[1,2.5]}}]}""")]
    [InlineData("n in (1,x,true)", """{"any":[{"attributes":[{"key":"n","textIn":{"values":["x"]}}]},{"attributes":[{"key":"n","numberIn":{"values":[1]}}]},{"attributes":[{"key":"n","flag":true}]}]}""")]
    [InlineData("score>=0.5", """{"attributes":[{"key":"score","range":{"gte":0.5}}]}""")]
    [InlineData("score < -1e3", """{"attributes":[{"key":"score","range":{"lt":-1000}}]}""")]
    [InlineData("year=2024", """{"attributes":[{"key":"year","number":2024}]}""")]
    [InlineData("year=\"2024\"", """{"attributes":[{"key":"year","text":"2024"}]}""")]
    [InlineData("ok=false", """{"attributes":[{"key":"ok","flag":false}]}""")]
    [InlineData("ok='false'", """{"attributes":[{"key":"ok","text":"false"}]}""")]
    [InlineData("camera.lens=\"x\"", """{"attributes":[{"path":["camera","lens"],"text":"x"}]}""")]
    [InlineData("\"a.b\".c=1", """{"attributes":[{"path":["a.b","c"],"number":1}]}""")]
    [InlineData("\"a.b\"=1", """{"attributes":[{"key":"a.b","number":1}]}""")]
    [InlineData("tag^=pre", """{"attributes":[{"key":"tag","prefix":"pre"}]}""")]
    [InlineData("tag^=2024", """{"attributes":[{"key":"tag","prefix":"2024"}]}""")]
    [InlineData("exists(tag)", """{"attributes":[{"key":"tag","exists":true}]}""")]
    [InlineData("not exists(camera.lens)", """{"not":[{"attributes":[{"path":["camera","lens"],"exists":true}]}]}""")]
    [InlineData("exists=1", """{"attributes":[{"key":"exists","number":1}]}""")]
    [InlineData("taken>=2026-05-01T12:00:00Z", """{"attributes":[{"key":"taken","time":{"from":"2026-05-01T12:00:00Z"}}]}""")]
    [InlineData("taken<\"2026-05-01T14:00:00+02:00\"", """{"attributes":[{"key":"taken","time":{"before":"2026-05-01T12:00:00Z"}}]}""")]
    [InlineData("a=1 and b=2", """{"attributes":[{"key":"a","number":1},{"key":"b","number":2}]}""")]
    [InlineData("a=1 AND not b=2", """{"attributes":[{"key":"a","number":1}],"not":[{"attributes":[{"key":"b","number":2}]}]}""")]
    [InlineData("a=1 or b=2 and c=3", """{"any":[{"attributes":[{"key":"a","number":1}]},{"attributes":[{"key":"b","number":2},{"key":"c","number":3}]}]}""")]
    [InlineData("(a=1 or b=2) and c=3", """{"attributes":[{"key":"c","number":3}],"all":[{"any":[{"attributes":[{"key":"a","number":1}]},{"attributes":[{"key":"b","number":2}]}]}]}""")]
    [InlineData("not (a=1 or not b=2)", """{"not":[{"any":[{"attributes":[{"key":"a","number":1}]},{"not":[{"attributes":[{"key":"b","number":2}]}]}]}]}""")]
    [InlineData("tag=and and not=or", null)]
    [InlineData("tag=and and \"not\"=or", """{"attributes":[{"key":"tag","text":"and"},{"key":"not","text":"or"}]}""")]
    [InlineData("@job_id=j1", """{"jobId":"j1"}""")]
    [InlineData("@job_id in (j1, 2)", """{"jobIds":["j1","2"]}""")]
    [InlineData("@point_id=p", """{"pointIds":["p"]}""")]
    [InlineData("@media_store_id^=\"m/\"", """{"mediaStoreIdPrefix":"m/"}""")]
    [InlineData("@face_index!=2", """{"not":[{"faceIndex":2}]}""")]
    [InlineData("@confidence>0.9", """{"confidence":{"gt":0.9}}""")]
    [InlineData("@stored_at>2026-05-01T12:00:00Z and @expires_at<=2026-05-02T12:00:00Z", """{"all":[{"storedAt":{"after":"2026-05-01T12:00:00Z"}},{"expiresAt":{"to":"2026-05-02T12:00:00Z"}}]}""")]
    [InlineData("@on_hold!=true", """{"onHold":false}""")]
    public void Filters_are_parsed(string text, string? json)
    {
        if (json is null)
        {
            Assert.Throws<ToolException>(() => FilterParser.Parse(text));
            return;
        }
        Assert.Equal(Filter.Parser.ParseJson(json), FilterParser.Parse(text));
    }

    [Theory]
    [InlineData("", "Expected the name of an attribute; got the end (column 1")]
    [InlineData("tag", "Expected =, !=, <, <=, >, >=, ^=, or in; got the end (column 4")]
    [InlineData("tag=", "Expected a value; quote texts with other characters than letters and digits; got the end (column 5")]
    [InlineData("tag==red", "Expected a value; quote texts with other characters than letters and digits; got '=' (column 5")]
    [InlineData("tag!red", "'!' is not an operator")]
    [InlineData("tag~=red", "'~' is not an operator")]
    [InlineData("tag=New York", "Expected 'and', 'or', or the end; quote texts with spaces; got 'York' (column 9")]
    [InlineData("(tag=New York)", "got 'York'")]
    [InlineData("tag>red", "> must compare with a number or a time such as 2026-05-01T00:00:00Z; got 'red' (column 5")]
    [InlineData("tag>\"1\"", "> must compare with a number or a time")]
    [InlineData("taken>2026-05-01", "> must compare with a number or a time")]
    [InlineData("tag^=\"\"", "^= must compare with a text that is not empty")]
    [InlineData("=red", "Expected the name of an attribute; got '=' (column 1")]
    [InlineData("\"\"=red", "Expected the name of an attribute")]
    [InlineData("a.=1", "Expected the name of an attribute; got '=' (column 3")]
    [InlineData("(a=1", "The parenthesis has no end (column 1")]
    [InlineData("a=1)", "got ')' (column 4")]
    [InlineData("a=\"x", "has no end (column 3")]
    [InlineData("a=1 and", "Expected the name of an attribute; got the end")]
    [InlineData("a=1 b=2", "got 'b' (column 5")]
    [InlineData("a in 1", "Expected '(' after 'in'; got '1'")]
    [InlineData("a in ()", "Expected a value")]
    [InlineData("a in (1", "Expected ')'; got the end")]
    [InlineData("a not 1", "Expected 'in' after 'not'; got '1'")]
    [InlineData("exists(tag", "Expected ')'; got the end")]
    [InlineData("id=9007199254740993", "got 9007199254740993")]
    [InlineData("@job=1", "After @ must follow point_id, job_id")]
    [InlineData("@job_id>1", "@job_id can be compared by =, !=, ^=, and in; got '>'")]
    [InlineData("@face_index>1", "@face_index can be compared by = and !=; got '>'")]
    [InlineData("@face_index=x", "@face_index must compare with a whole number")]
    [InlineData("@confidence=high", "@confidence must compare with a number; got 'high'")]
    [InlineData("@stored_at>yesterday", "@stored_at must compare with a time")]
    [InlineData("@on_hold=1", "@on_hold must compare with true or false")]
    public void A_mistake_is_an_error_that_names_it(string text, string message)
    {
        var error = Assert.Throws<ToolException>(() => FilterParser.Parse(text));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Contains($"of: {text})", error.Message, StringComparison.Ordinal);
    }
}
