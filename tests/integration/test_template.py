"""What CloudFormation gets: template.yaml after SAM's own translator."""

from __future__ import annotations

import re
from typing import Any

import pytest

from local.sam import SAM_PYTHON, run
from local.table import load_template
from tests.evaluated_template import EvaluatedTemplate
from tests.integration.translated import (
    FUNCTIONS,
    api,
    integration,
    of_type,
    resource,
    statements,
    translated,
)
from tests.obtain import skip_or_fail


def test_the_template_is_valid_and_lints_clean() -> None:
    if not SAM_PYTHON.exists():
        skip_or_fail("The SAM CLI is missing: run `make sam-venv`")

    assert "is a valid SAM Template" in run("validate", "--lint")


class TestGuidedDeployment:
    """`sam deploy --guided` asks for every parameter; Enter must do for all of them."""

    def test_every_parameter_has_a_default_and_an_explanation(self) -> None:
        for name, parameter in load_template()["Parameters"].items():
            assert "Default" in parameter, name
            assert parameter["Description"].endswith("."), name

    def test_every_parameter_is_in_one_group(self) -> None:
        interface = load_template()["Metadata"]["AWS::CloudFormation::Interface"]
        grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]

        assert sorted(grouped) == sorted(load_template()["Parameters"])

    def test_it_does_not_ask_whether_each_path_may_be_public(self) -> None:
        """It asks where an API has no Auth entry, and "no", the default, ends the deployment."""
        assert load_template()["Resources"]["LosiApi"]["Properties"]["Auth"]


class TestLimits:
    @pytest.mark.parametrize(
        ("function", "parameter"),
        [
            ("ChatCompletionsFunction", "ChatConcurrency"),
            ("ApiKeysFunction", "KeysConcurrency"),
        ],
    )
    def test_chat_need_not_starve_the_changing_of_keys(self, function: str, parameter: str) -> None:
        def reserved(parameters: dict[str, Any]) -> Any:
            properties = EvaluatedTemplate(parameters).resources[function]["Properties"]
            return properties.get("ReservedConcurrentExecutions")

        assert reserved({}) is None
        assert reserved({parameter: 20}) == 20

    def test_a_limit_by_address_is_there_when_asked_for(self) -> None:
        limited = EvaluatedTemplate({"RequestsPerAddress": 600}).resources

        (rule,) = limited["AddressLimit"]["Properties"]["Rules"]
        assert rule["Statement"]["RateBasedStatement"]["Limit"] == 600
        assert rule["Action"] == {"Block": {}}
        stage = resource("AddressLimitAssociation")["ResourceArn"]["Fn::Sub"]
        assert stage[0].endswith("::/restapis/${LosiApi}/stages/${Name}")
        assert stage[1] == {"Name": {"Ref": "LosiApiStage"}}
        assert "AddressLimit" not in EvaluatedTemplate().resources


class TestGradualDeployment:
    CANARY = "Canary10Percent5Minutes"

    def test_without_it_an_alias_moves_at_once(self) -> None:
        assert not of_type("AWS::CodeDeploy::Application")
        assert all("UpdatePolicy" not in alias for alias in of_type("AWS::Lambda::Alias").values())

    def test_with_it_every_function_is_shifted_and_goes_back_by_the_alarm(self) -> None:
        resources = translated(GradualDeployment=self.CANARY)

        for function in FUNCTIONS:
            update = resources[f"{function}Aliaslive"]["UpdatePolicy"][
                "CodeDeployLambdaAliasUpdate"
            ]
            group = resources[update["DeploymentGroupName"]["Ref"]]["Properties"]
            condition, alarms, _ = group["AlarmConfiguration"]["Fn::If"]
            shift = {"Fn::Sub": f"CodeDeployDefault.Lambda{self.CANARY}"}
            assert group["DeploymentConfigName"] == shift
            assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
            assert (condition, alarms["Enabled"]) == ("DeploysGradually", True)
            assert alarms["Alarms"] == [{"Name": {"Ref": "DeploymentAlarm"}}]

    def test_its_alarm_fires_when_only_a_part_of_the_canary_s_tenth_fails(self) -> None:
        alarm = EvaluatedTemplate({"GradualDeployment": self.CANARY}).resources["DeploymentAlarm"]
        properties = alarm["Properties"]

        assert (properties["MetricName"], properties["Statistic"]) == ("5XXError", "Average")
        assert properties["Threshold"] < 0.10 / 2  # half of what the new version answers
        assert "DeploymentAlarm" not in EvaluatedTemplate().resources

    def test_every_choice_is_one_of_codedeploy_s(self) -> None:
        choices = load_template()["Parameters"]["GradualDeployment"]["AllowedValues"]

        assert set(load_template()["Mappings"]["GradualDeployment"]) == set(choices)
        for choice in choices[1:]:
            assert translated(GradualDeployment=choice)["CodeDeployServiceRole"]


#: Properties that name a resource, where two stacks of one Region must not share the name.
NAMES = {
    "AWS::Backup::BackupVault": "BackupVaultName",
    "AWS::Cognito::UserPoolDomain": "Domain",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::SSM::Parameter": "Name",
    "AWS::Scheduler::Schedule": "Name",
}
#: Types whose names are made by CloudFormation, or may be the same (a layer's has versions).
UNNAMED = ("FunctionName", "TableName", "QueueName", "RoleName", "TopicName", "AlarmName")


class TestTwoStacks:
    def test_side_by_side_share_no_name(self) -> None:
        for name, each in translated().items():
            properties = each.get("Properties", {})
            if named := NAMES.get(each["Type"]):
                text = properties[named]["Fn::Sub"]
                assert "${AWS::StackName}" in text or "${LosiApi}" in text, name
            if each["Type"] != "AWS::Lambda::Permission" and "Alias" not in each["Type"]:
                fixed = [key for key in UNNAMED if isinstance(properties.get(key), str)]
                assert not fixed, name


class TestFunctions:
    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_snapstart_is_a_parameter(self, function: str) -> None:
        assert resource(function)["SnapStart"] == {
            "ApplyOn": {"Fn::If": ["UsesSnapStart", "PublishedVersions", "None"]}
        }

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_nothing_that_snapstart_refuses(self, function: str) -> None:
        """The linter does not know these limits; the deployment would fail."""
        assert resource(function)["Runtime"] == "python3.13"
        assert "EphemeralStorage" not in resource(function)
        assert "FileSystemConfigs" not in resource(function)
        alias = resource(f"{function}Aliaslive")
        assert "ProvisionedConcurrencyConfig" not in alias

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_logs_expire(self, function: str) -> None:
        logging = resource(function)["LoggingConfig"]

        assert logging["LogFormat"] == "JSON"
        assert resource(logging["LogGroup"]["Ref"])["RetentionInDays"] == {
            "Ref": "LogRetentionDays"
        }

    def test_the_runtime_and_the_secret_are_where_they_are_needed(
        self,
    ) -> None:
        extra = {
            "ChatCompletionsFunction": {
                "AWS_LAMBDA_EXEC_WRAPPER",
                "LOSI_PROVIDER_SECRET",
                "LOSI_BEDROCK_REGION",
                "LOSI_SETTLEMENTS_QUEUE",
            },
            "EmbeddingsFunction": {
                "AWS_LAMBDA_EXEC_WRAPPER",
                "LOSI_PROVIDER_SECRET",
                "LOSI_SETTLEMENTS_QUEUE",
            },
            "CanaryFunction": {"LOSI_PROVIDER_SECRET", "LOSI_CANARY_URL"},
            "SettlementsFunction": {"LOSI_SETTLEMENTS_QUEUE", "LOSI_DEAD_SETTLEMENTS_QUEUE"},
            "ConsoleFunction": {"AWS_LAMBDA_EXEC_WRAPPER"},
            "SessionFunction": {"LOSI_SIGN_IN_PARAMETER"},
            "SignInFunction": {
                "LOSI_SIGN_IN_PARAMETER",
                "LOSI_SELF_SIGN_UP_PLAN",
                "LOSI_SELF_SIGN_UPS_A_DAY",
            },
        }
        for function in FUNCTIONS:
            variables = set(resource(function)["Environment"]["Variables"])
            everyone = {
                *("LOSI_TABLE", "LOSI_STAGE", "LOSI_SUPPORT"),
                *("LOSI_METRICS", "LOSI_METRICS_DETAILS"),
                *("LOSI_USAGE_DAYS", "LOSI_AUDIT_DAYS", "LOSI_SESSION_DAYS"),
            }
            assert variables - everyone == extra.get(function, set())

    def test_a_new_layer_alone_publishes_new_versions(self) -> None:
        before = set(of_type("AWS::Lambda::Version"))
        after = set(of_type("AWS::Lambda::Version", layer_version="2"))

        assert len(before) == len(after) == len(FUNCTIONS) + 1  # and the one on instances
        assert not before & after

    def test_a_version_s_description_is_as_short_as_lambda_wants(self) -> None:
        """https://docs.aws.amazon.com/lambda/latest/api/API_PublishVersion.html"""
        parameters = load_template()["Parameters"]
        longest = {
            "Architecture": 6,
            "SnapStart": 3,
            "LogLevel": 5,
            "Metrics": max(map(len, parameters["Metrics"]["AllowedValues"])),
            "BedrockAccess": 3,
            "ChatMemory": 5,
            "SignIn": 7,
            "SelfSignUp": 3,
            "SelfSignUpPlan": parameters["SelfSignUpPlan"]["MaxLength"],
            "SelfSignUpsADay": 5,
            "Support": 100,
            "ExistingTable": 64,
            "UsageDays": 4,
            "AuditDays": 4,
            "SessionDays": 2,
        }
        for name, version in of_type("AWS::Lambda::Version").items():
            described = version["Properties"]["Description"]["Fn::Sub"]
            filled = re.sub(r"\$\{(\w+)\}", lambda found: "x" * longest[found[1]], described)
            assert len(filled) <= 256, name

    def test_a_changed_parameter_alone_publishes_new_versions(self) -> None:
        """A version's description cannot change, so CloudFormation makes a new version."""
        for version in of_type("AWS::Lambda::Version").values():
            description = version["Properties"]["Description"]["Fn::Sub"]
            for parameter in (
                "Architecture",
                "SnapStart",
                "LogLevel",
                "Metrics",
                "ExistingTable",
                "UsageDays",
                "AuditDays",
                "SessionDays",
            ):
                assert f"${{{parameter}}}" in description


class TestManagedInstances:
    """Lambda refuses each of these otherwise:
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-best-practices.html
    """

    FUNCTION = "ChatOnInstancesFunction"

    def test_nothing_of_them_is_there_unless_asked_for(self) -> None:
        for name, each in translated().items():
            if "Instances" in name:
                assert each["Condition"] == "UsesInstances", name

    def test_the_function_is_the_one_that_streams_but_for_where_it_runs(self) -> None:
        usual, here = resource("ChatCompletionsFunction"), resource(self.FUNCTION)
        differing = {
            name
            for name in usual.keys() | here.keys()
            if usual.get(name) != here.get(name) and name not in ("Code", "Description", "Role")
        }

        assert differing == {
            "CapacityProviderConfig",
            "MemorySize",
            "ReservedConcurrentExecutions",
            "SnapStart",
        }
        assert statements(self.FUNCTION) == statements("ChatCompletionsFunction")

    def test_it_has_64_at_once_on_one_processor(self) -> None:
        function = resource(self.FUNCTION)

        assert function["CapacityProviderConfig"] == {
            "LambdaManagedInstancesCapacityProviderConfig": {
                "CapacityProviderArn": {"Fn::GetAtt": ["ChatInstances", "Arn"]},
                "PerExecutionEnvironmentMaxConcurrency": 64,
                "ExecutionEnvironmentMemoryGiBPerVCpu": 2,
            }
        }
        assert function["MemorySize"] == 2048, "the least there is; it is one processor"
        assert function["SnapStart"] == {"ApplyOn": "None"}

    def test_they_are_where_the_operator_says_and_no_more_than_that(self) -> None:
        provider = resource("ChatInstances")

        assert provider["VpcConfig"] == {
            "SubnetIds": {"Ref": "InstanceSubnets"},
            "SecurityGroupIds": {"Ref": "InstanceSecurityGroups"},
        }
        assert provider["CapacityProviderScalingConfig"] == {
            "MaxVCpuCount": {"Ref": "InstanceVCpus"},
            "ScalingMode": "Auto",
        }

    def test_post_goes_there_while_it_is_there(self) -> None:
        """API Gateway prefers a method that is named to any."""
        path = api()["paths"]["/api/v1/chat/completions"]
        condition, method, otherwise = path["post"]["Fn::If"]
        streamed = method["x-amazon-apigateway-integration"]

        assert (condition, otherwise) == ("UsesInstances", {"Ref": "AWS::NoValue"})
        assert f"{self.FUNCTION}Aliaslive" in str(streamed["uri"])
        usual = integration("/api/v1/chat/completions")
        assert {**streamed, "uri": ""} == {**usual, "uri": ""}


class TestData:
    def test_the_table_outlives_the_stack_and_can_be_restored(self) -> None:
        table = translated()["LosiTable"]

        assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"
        properties = table["Properties"]
        assert properties["BillingMode"] == "PAY_PER_REQUEST"
        assert properties["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
        assert properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
        assert properties["SSESpecification"]["SSEEnabled"]
        assert properties["DeletionProtectionEnabled"]

    def test_an_existing_table_takes_its_place_everywhere(self) -> None:
        """A restore makes a new table: it is adopted by its name, and the old one stays.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery.Tutorial.html
        """
        adopted = EvaluatedTemplate({"ExistingTable": "losi-restored"})

        assert "LosiTable" not in adopted.resources
        assert "LosiTable" not in str([adopted.resources, adopted.globals])
        variables = adopted.globals["Function"]["Environment"]["Variables"]
        assert variables["LOSI_TABLE"] == "losi-restored"

    def test_backups_are_kept_for_a_year_in_a_vault_that_outlives_the_stack(self) -> None:
        backed_up = EvaluatedTemplate({"MonthlyBackups": "on"}).resources
        (rule,) = backed_up["BackupPlan"]["Properties"]["BackupPlan"]["BackupPlanRule"]
        selection = backed_up["BackupSelection"]["Properties"]["BackupSelection"]

        assert rule["Lifecycle"] == {"DeleteAfterDays": 365}
        assert backed_up["BackupVault"]["DeletionPolicy"] == "Retain"
        assert selection["Resources"] == [{"Fn::GetAtt": ["LosiTable", "Arn"]}]
        assert "BackupVault" not in EvaluatedTemplate().resources

    def test_the_secret_starts_empty_and_goes_with_the_stack(self) -> None:
        assert resource("ProviderSecret")["SecretString"] == "{}"
        assert translated()["ProviderSecret"]["DeletionPolicy"] == "Delete"
